// What a session leaves in this browser, for all tabs: one record in IndexedDB, where a key can lie that signs
// and that nobody can read out. Tabs tell each other when it has changed.

const DATABASE = "exchange";
const STORE = "session";
const RECORD = "current";

/** @typedef {{token: string, email: string, keyName: string, secret: CryptoKey | null}} Kept */

function opened() {
  return new Promise((resolve, reject) => {
    const asked = indexedDB.open(DATABASE, 1);
    asked.onupgradeneeded = () => asked.result.createObjectStore(STORE);
    asked.onsuccess = () => resolve(asked.result);
    asked.onerror = () => reject(asked.error);
  });
}

async function inStore(mode, work) {
  const database = await opened();
  try {
    return await new Promise((resolve, reject) => {
      const transaction = database.transaction(STORE, mode);
      const asked = work(transaction.objectStore(STORE));
      transaction.oncomplete = () => resolve(asked.result);
      transaction.onerror = transaction.onabort = () => reject(transaction.error);
    });
  } finally {
    database.close();
  }
}

/** Where it lies; without a database (some private windows) in this page alone, for as long as it is open. */
export class Vault {
  /** @param {() => void} onOther called when another tab has changed it */
  constructor(onOther) {
    this._own = null;
    this._channel = new BroadcastChannel("exchange.session");
    this._channel.onmessage = () => onOther();
  }

  /** @returns {Promise<Kept | null>} */
  async read() {
    try {
      return (await inStore("readonly", (store) => store.get(RECORD))) ?? null;
    } catch {
      return this._own;
    }
  }

  /** @param {Kept | null} kept null: nobody is logged in any more */
  async write(kept) {
    this._own = kept;
    try {
      await inStore("readwrite", (store) => (kept ? store.put(kept, RECORD) : store.delete(RECORD)));
    } catch {
      // This page alone knows it then.
    }
    this._channel.postMessage("changed");
  }

  /** Does `work` while no other tab does any such work. */
  async alone(work) {
    return navigator.locks ? navigator.locks.request("exchange.session", work) : work();
  }
}
