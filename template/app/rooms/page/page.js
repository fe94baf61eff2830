// The page: forms in, messages out. What others say is shown as text, never as HTML.
const find = (selector) => document.querySelector(selector);
const state = find("#state");
const trouble = find("#trouble");
const joinForm = find("#join");
const talk = find("#talk");
const said = find("#said");
const sayForm = find("#say");

let room;
let me;

/** Let people join the rooms that `open(room, name)` gives. */
export function start(open) {
  joinForm.addEventListener("submit", (event) => {
    event.preventDefault();
    const { room: address, name } = Object.fromEntries(new FormData(joinForm));
    enter(open(address.trim(), name.trim()));
  });
  sayForm.addEventListener("submit", (event) => {
    event.preventDefault();
    room.say(sayForm.elements.text.value);
    sayForm.reset();
  });
  find("#leave").addEventListener("click", () => {
    room.leave();
    leave();
  });
}

/** Show what is wrong, in words; nothing, when nothing is. */
export function complain(words) {
  trouble.textContent = words;
  trouble.hidden = !words;
}

function enter(opened) {
  room = opened;
  room.addEventListener("message", ({ detail }) => shows[detail.type]?.(detail));
  room.addEventListener("waiting", ({ detail }) => {
    show("waiting", "Joining again …");
    complain(detail);
  });
  room.addEventListener("refused", ({ detail }) => {
    leave();
    complain(detail);
  });
  show("waiting", "Joining …");
  complain("");
  room.join();
}

function leave() {
  show("out", "Not in a room");
  said.replaceChildren();
  talk.hidden = true;
  joinForm.hidden = false;
}

const shows = {
  welcome({ room: name, member }) {
    me = member.id;
    show("in", `In ${name}`);
    complain("");
    joinForm.hidden = true;
    talk.hidden = false;
    sayForm.elements.text.focus();
  },
  joined: ({ member }) => note(`${member.name} came`),
  left: ({ member }) => note(`${member.name} went`),
  said({ member, text, at }) {
    const line = document.createElement("li");
    line.classList.toggle("mine", member.id === me);
    const moment = new Date(at);
    const time = piece("time", moment.toLocaleTimeString([], { timeStyle: "short" }));
    time.dateTime = at;
    line.append(piece("b", member.name), time, piece("p", text));
    add(line);
  },
  error: ({ detail }) => complain(detail),
};

function show(name, words) {
  state.dataset.state = name;
  state.textContent = words;
  for (const control of sayForm.elements) {
    control.disabled = name !== "in" && control.id !== "leave";
  }
}

function note(words) {
  const line = piece("li", words);
  line.className = "note";
  add(line);
}

function piece(tag, text) {
  const element = document.createElement(tag);
  element.textContent = text;
  return element;
}

function add(line) {
  said.append(line);
  said.scrollTop = said.scrollHeight;
}
