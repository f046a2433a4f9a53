// What the service tells by itself: events, and the state of all each second. One connection for the whole page.

import { api } from "./api.js";

const SILENCE = 6000; // ms after which a connection on which nothing comes is no connection

class Feed extends EventTarget {
  service = null; // the last state of all
  connected = false;
  last = null; // number of the last telling
  #source = null;
  #timer = 0;
  #wait = 1000;

  get cameras() {
    return this.service?.cameras ?? {};
  }

  /** `feed.on("telling", f)`; returns what ends it. */
  on(kind, f) {
    const listener = (event) => f(event.detail);
    this.addEventListener(kind, listener);
    return () => this.removeEventListener(kind, listener);
  }

  start() {
    this.stop();
    this.#source = new EventSource(this.last === null ? "api/stream" : `api/stream?after=${this.last}`);
    this.#source.addEventListener("status", (message) => {
      this.#heard();
      this.service = JSON.parse(message.data);
      this.#tell("status", this.service);
    });
    this.#source.addEventListener("telling", (message) => {
      this.#heard();
      this.last = Number(message.lastEventId);
      this.#tell("telling", JSON.parse(message.data));
    });
    this.#source.onerror = () => this.#lost();
    this.#timer = setTimeout(() => this.#lost(), SILENCE);
  }

  stop() {
    clearTimeout(this.#timer);
    this.#source?.close();
    this.#source = null;
  }

  #heard() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#lost(), SILENCE);
    this.#wait = 1000;
    if (!this.connected) {
      this.connected = true;
      this.#tell("connection", true);
    }
  }

  async #lost() {
    if (this.#source === null) return;
    this.stop();
    this.connected = false;
    this.#tell("connection", false);
    this.#timer = setTimeout(() => this.start(), this.#wait);
    this.#wait = Math.min(this.#wait * 1.6, 10000);
    const session = await api.get("api/session").catch(() => null);
    if (session && !session.signed_in) {
      this.stop();
      window.dispatchEvent(new Event("signed-out"));
    }
  }

  #tell(kind, detail) {
    this.dispatchEvent(new CustomEvent(kind, { detail }));
  }
}

export const feed = new Feed();

// A page that nobody sees keeps no connection: browsers allow only six to one place.
document.addEventListener("visibilitychange", () => {
  if (!feed.connected) return;
  if (document.hidden) feed.stop();
  else feed.start();
});
