// Rooms for those who log in. Tokens stay in this page's memory, and are gone with it.
import { complain, start } from "./page.js";
import { api, Room } from "./room.js";

const UNAUTHENTICATED = 4401;
const loginForm = document.querySelector("#login");
const joinForm = document.querySelector("#join");

let tokens;

class PrivateRoom extends Room {
  async subprotocols(code) {
    if (code === UNAUTHENTICATED) {
      await refresh();
    }
    return ["bearer", tokens.access_token];
  }
}

loginForm.addEventListener("submit", async (event) => {
  event.preventDefault();
  const { username, password } = Object.fromEntries(new FormData(loginForm));
  try {
    await ask("auth/token", { grant_type: "password", username, password });
    loginForm.reset();
    complain("");
    choose(joinForm);
  } catch (error) {
    complain(error.message);
  }
});

async function refresh() {
  try {
    await ask("auth/refresh", { refresh_token: tokens.refresh_token });
  } catch (error) {
    queueMicrotask(() => choose(loginForm));
    throw new Error("Your login has ended. Log in again.", { cause: error });
  }
}

async function ask(path, parameters) {
  const body = new URLSearchParams(parameters);
  const response = await fetch(new URL(path, api), { method: "POST", body }).catch(() => {
    throw new Error("The service does not answer. Try again.");
  });
  const answer = await response.json();
  if (!response.ok) {
    throw new Error(answer.detail);
  }
  tokens = answer;
}

function choose(form) {
  loginForm.hidden = form !== loginForm;
  joinForm.hidden = form !== joinForm;
  form.querySelector("input").focus();
}

start((room, name) => new PrivateRoom(room, name));
