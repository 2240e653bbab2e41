// The account behind the terminal: one session and one key for all tabs of this browser, below /v1.
// The key is good for as long as the session is, wherever that is ended (ADR 0033); its secret is a CryptoKey that
// nothing can read out.

import { request, RequestError } from "./http.js";
import { Vault } from "./vault.js";

const LABEL = "Web terminal";
// Needed by who logs in alone.
const signing = () => import("./signing.js");
const NOBODY = { token: "", email: "", key: null };

/** One person's session. `email` is "" and `key` null while nobody is logged in. */
export class Account {
  /** @param {() => void} onChange called when another tab has logged in or out */
  constructor(onChange) {
    Object.assign(this, NOBODY);
    /** @type {{name: string, secret: CryptoKey} | null} */
    this.key = null;
    this._vault = new Vault(onChange);
  }

  /**
   * Ask something below /v1 in the name of this session.
   * @param {string} method
   * @param {string} path
   * @param {object} [body]
   * @returns {Promise<any>}
   * @throws {RequestError}
   */
  ask(method, path, body) {
    return request(method, path, { body, headers: { Authorization: `Bearer ${this.token}` } });
  }

  /**
   * A file below /v1.
   * @param {string} path
   * @returns {Promise<Blob>}
   * @throws {RequestError}
   */
  file(path) {
    return request("GET", path, { isFile: true, headers: { Authorization: `Bearer ${this.token}` } });
  }

  /**
   * Open an account and log in.
   * @param {string} email
   * @param {string} password
   * @throws {RequestError} kinds "email-taken", "invalid-request", and those of `logIn`
   */
  async signUp(email, password) {
    (await signing()).needSigning();
    await request("POST", "/v1/users", { body: { email, password } });
    await this.logIn(email, password);
  }

  /**
   * Open a session, and make a key that may read and trade for as long as it lasts.
   * @param {string} email
   * @param {string} password
   * @param {string} [totp] the second factor, where there is one
   * @throws {RequestError} kinds "wrong-credentials", "second-factor-needed", "too-many-attempts"
   */
  async logIn(email, password, totp) {
    (await signing()).needSigning();
    const session = await request("POST", "/v1/sessions", { body: { email, password, totp } });
    Object.assign(this, { token: session.accessToken, email });
    try {
      await this._vault.alone(() => this._makeKey());
    } catch (error) {
      await this.ask("DELETE", "/v1/sessions/current").catch(() => {});
      Object.assign(this, NOBODY);
      throw error;
    }
  }

  async _makeKey() {
    const body = { label: LABEL, permissions: ["READ", "TRADE"], forSession: true };
    const made = await this.ask("POST", "/v1/api-keys", body);
    this.key = { name: made.apiKey, secret: await (await signing()).signingKey(made.secretKey) };
    await this._vault.write({ token: this.token, email: this.email, keyName: made.apiKey, secret: this.key.secret });
  }

  /**
   * Go on with this browser's session, if there is one.
   * @returns {Promise<boolean>} whether somebody is logged in now
   */
  async resume() {
    const kept = await this._vault.read();
    if (!kept?.secret) {
      Object.assign(this, NOBODY);
      return false;
    }
    Object.assign(this, { token: kept.token, email: kept.email, key: { name: kept.keyName, secret: kept.secret } });
    return true;
  }

  /**
   * The key was refused. Another tab may have a newer one, or a new one may be made while the session lives.
   * @returns {Promise<boolean>} whether there is a key now that was not refused yet
   * @throws {RequestError} when the exchange cannot be asked
   */
  async renew() {
    const refused = this.key?.name;
    return this._vault.alone(async () => {
      if ((await this.resume()) && this.key.name !== refused) return true;
      if (this.token === "") return false;
      try {
        await this._makeKey();
        return true;
      } catch (error) {
        if (!(error instanceof RequestError) || (error.status !== 401 && error.status !== 403)) throw error;
        await this._forget();
        return false;
      }
    });
  }

  async _forget() {
    Object.assign(this, NOBODY);
    await this._vault.write(null);
  }

  /**
   * End the session, and its key with it. What the exchange cannot be told is forgotten here all the same.
   * @throws {RequestError} when it could not be told
   */
  async logOut() {
    try {
      if (this.token) await this.ask("DELETE", "/v1/sessions/current");
    } finally {
      await this._forget();
    }
  }

  /**
   * Play money from the faucet.
   * @param {string} asset
   * @param {string} amount
   * @throws {RequestError} kind "faucet-off" where there is none
   */
  async deposit(asset, amount) {
    await this.ask("POST", "/v1/deposits", { asset, amount });
  }
}
