// The account behind the terminal: sessions and API keys below /v1.
// The session's token and the key's public name lie in sessionStorage, which ends with the tab; the key's
// secret is a CryptoKey in memory that nothing can read out, so a page that is loaded again makes a new key.

import { request, RequestError } from "./http.js";
import { needSigning, signingKey } from "./signing.js";

const STORED = "exchange.session";
const LABEL = "Web terminal";

/** One person's session. `email` is "" and `key` null while nobody is logged in. */
export class Account {
  constructor() {
    this._token = "";
    this.email = "";
    /** @type {{name: string, secret: CryptoKey} | null} */
    this.key = null;
  }

  _forget() {
    Object.assign(this, { _token: "", email: "", key: null });
    sessionStorage.removeItem(STORED);
  }

  _remember() {
    const session = { token: this._token, email: this.email, keyName: this.key?.name ?? "" };
    sessionStorage.setItem(STORED, JSON.stringify(session));
  }

  _ask(method, path, options = {}) {
    return request(method, path, { ...options, headers: { Authorization: `Bearer ${this._token}` } });
  }

  /**
   * Open an account and log in.
   * @param {string} email
   * @param {string} password
   * @throws {RequestError} kinds "email-taken", "invalid-request", and those of `logIn`
   */
  async signUp(email, password) {
    needSigning();
    await request("POST", "/v1/users", { body: { email, password } });
    await this.logIn(email, password);
  }

  /**
   * Open a session, and make a key that may read and trade for as long as it lasts.
   * @param {string} email
   * @param {string} password
   * @throws {RequestError} kinds "wrong-credentials", "too-many-attempts"
   */
  async logIn(email, password) {
    needSigning();
    const session = await request("POST", "/v1/sessions", { body: { email, password } });
    this._token = session.accessToken;
    this.email = email;
    await this._openKey();
  }

  /**
   * Go on with the session of this tab, if there is one.
   * @returns {Promise<boolean>} whether somebody is logged in now
   * @throws {RequestError} when the exchange cannot be asked
   */
  async resume() {
    let stored;
    try {
      stored = JSON.parse(sessionStorage.getItem(STORED) ?? "null");
    } catch {
      stored = null;
    }
    if (!stored?.token) return false;
    this._token = stored.token;
    this.email = stored.email;
    try {
      // Usually `leave` has done it.
      const { apiKeys } = await this._ask("GET", "/v1/api-keys");
      if (apiKeys.some((key) => key.apiKey === stored.keyName)) await this._revoke(stored.keyName);
      await this._openKey();
    } catch (error) {
      if (!(error instanceof RequestError) || error.status !== 401) throw error;
      this._forget();
      return false;
    }
    return true;
  }

  async _openKey() {
    const body = { label: LABEL, permissions: ["READ", "TRADE"] };
    let made;
    try {
      made = await this._ask("POST", "/v1/api-keys", { body });
    } catch (error) {
      if (error.kind !== "too-many-keys") throw error;
      await this._revokeOldest();
      made = await this._ask("POST", "/v1/api-keys", { body });
    }
    this.key = { name: made.apiKey, secret: await signingKey(made.secretKey) };
    this._remember();
  }

  /** Make room: of keys that a terminal made and could not take back, the oldest. */
  async _revokeOldest() {
    const { apiKeys } = await this._ask("GET", "/v1/api-keys");
    const ours = apiKeys.filter((key) => key.label === LABEL).sort((one, other) => one.createdAt - other.createdAt);
    if (ours.length > 0) await this._revoke(ours[0].apiKey);
  }

  async _revoke(keyName, keepalive = false) {
    try {
      await this._ask("DELETE", `/v1/api-keys/${encodeURIComponent(keyName)}`, { keepalive });
    } catch (error) {
      if (error.status !== 404) throw error;
    }
  }

  /**
   * Take the key back and end the session. What the exchange cannot be told is forgotten here all the same.
   * @throws {RequestError} when it could not be told
   */
  async logOut() {
    try {
      if (this.key) await this._revoke(this.key.name);
      await this._ask("DELETE", "/v1/sessions/current");
    } finally {
      this._forget();
    }
  }

  /** The page is being left: the key, whose secret ends with it, is taken back as well. */
  leave() {
    if (this.key) this._revoke(this.key.name, true).catch(() => {});
  }

  /**
   * Play money from the faucet.
   * @param {string} asset
   * @param {string} amount
   * @throws {RequestError} kind "faucet-off" where there is none
   */
  async deposit(asset, amount) {
    await this._ask("POST", "/v1/deposits", { body: { asset, amount } });
  }
}
