// One room, joined over a WebSocket, and joined again whenever the connection ends.
const FIRST_WAIT = 500;
const LONGEST_WAIT = 30000;

export const api = new URL("../../api/v1/", import.meta.url);

/**
 * Tells what happens in events whose `detail` is:
 * - `message`: what the service sent, parsed
 * - `waiting`: why the connection ended, in words; it will be tried again
 * - `refused`: why it will not be tried again, in words
 */
export class Room extends EventTarget {
  #socket;
  #timer;
  #attempts = 0;
  #left = false;

  constructor(room, name) {
    super();
    this.url = new URL(`rooms/${encodeURIComponent(room)}`, api);
    this.url.searchParams.set("name", name);
    this.url.protocol = this.url.protocol.replace("http", "ws");
  }

  /** What to offer as subprotocols, after the connection ended with this code. */
  async subprotocols(_code) {
    return [];
  }

  async join(code) {
    let offered;
    try {
      offered = await this.subprotocols(code);
    } catch (error) {
      this.#tell("refused", error.message);
      return;
    }
    if (this.#left) {
      return;
    }
    this.#socket = new WebSocket(this.url, offered);
    this.#socket.addEventListener("message", (event) => this.#hear(JSON.parse(event.data)));
    this.#socket.addEventListener("close", (event) => this.#rejoin(event));
  }

  say(text) {
    this.#send({ type: "say", text });
  }

  leave() {
    this.#left = true;
    clearTimeout(this.#timer);
    this.#socket?.close(1000);
  }

  #hear(message) {
    if (message.type === "ping") {
      this.#send({ type: "pong" });
      return;
    }
    if (message.type === "welcome") {
      this.#attempts = 0;
    }
    this.#tell("message", message);
  }

  #rejoin({ code, reason }) {
    if (this.#left) {
      return;
    }
    const wait = Math.min(FIRST_WAIT * 2 ** this.#attempts, LONGEST_WAIT);
    this.#attempts += 1;
    this.#timer = setTimeout(() => this.join(code), wait * (0.5 + Math.random() / 2));
    this.#tell("waiting", reason || "The service does not answer.");
  }

  #send(message) {
    this.#socket.send(JSON.stringify(message));
  }

  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
