// The line in which one writes: what is offered after "/", and what was written before.
import { act, make, state, $ } from "/assets/state.js";

const OFFERS = [
  ["/mailstatus", "[campaign] [range]", "Where the mail is, with a pie"], ["/mailtrack", "[id, name, street, ZIP]", "One piece's scans"],
  ["/mailalerts", "[on, off, mute…]", "What this channel is told"], ["@Piecewise", "where is Spring?", "Ask in a thread, too"],
];
const IDEAS = { "": ["/mailstatus Spring", "/mailstatus", "/mailtrack Jane", "/mailtrack 787", "/mailalerts", "/mailstatus Holiday postcards", "/mailstatus when to book for Dec 20", "/mailstatus help", "@Piecewise where is our mail?"], T0BOLT: ["/mailstatus", "/mailstatus Bike season", "/mailtrack Jane", "/mailalerts", "/mailstatus Winter service", "/mailstatus help"] };
const past = JSON.parse(sessionStorage.getItem("past") ?? "[]");
let at = past.length;
let chosen = -1;
const line = $("text");
const list = $("offers");

function offer() {
  const typed = line.value;
  const found = /^[/@]\S*$/.test(typed) ? OFFERS.filter(([name]) => name.toLowerCase().startsWith(typed.toLowerCase()) && name.toLowerCase() !== typed.toLowerCase()) : [];
  list.hidden = !found.length;
  line.setAttribute("aria-expanded", String(found.length > 0));
  list.replaceChildren(...found.map(([name, hint, what], index) => make("li", {
    role: "option", id: `offer-${index}`, "aria-selected": "false", "data-name": name, onmousedown: (event) => { event.preventDefault(); take(name); },
  }, make("b", {}, name), ` ${hint} `, make("small", {}, what))));
  choose(found.length ? 0 : -1);
}

function choose(index) {
  chosen = index;
  [...list.children].forEach((one, place) => one.setAttribute("aria-selected", String(place === index)));
  if (index >= 0) line.setAttribute("aria-activedescendant", `offer-${index}`); else line.removeAttribute("aria-activedescendant");
}

function take(name) { line.value = `${name} `; line.focus(); offer(); }

function recall(step) {
  const to = at + step;
  if (to < 0 || to > past.length) return;
  at = to;
  line.value = past[at] ?? "";
  line.setSelectionRange(line.value.length, line.value.length);
  list.hidden = true;
  line.setAttribute("aria-expanded", "false");
  choose(-1);
}

line.addEventListener("input", offer);
line.addEventListener("blur", () => { list.hidden = true; line.setAttribute("aria-expanded", "false"); });
line.addEventListener("keydown", (event) => {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  const open = !list.hidden;
  if (step && open) choose((chosen + step + list.children.length) % list.children.length);
  else if (step) recall(step);
  else if (open && (event.key === "Tab" || event.key === "Enter")) take(list.children[chosen].dataset.name);
  else if (open && event.key === "Escape") { list.hidden = true; line.setAttribute("aria-expanded", "false"); }
  else return;
  event.preventDefault();
});
$("composer").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = line.value.trim();
  line.value = "";
  offer();
  if (!text) return;
  if (past.at(-1) !== text) past.push(text);
  sessionStorage.setItem("past", JSON.stringify(past.slice(-50)));
  at = past.length;
  state.sent = true;
  state.watching = Date.now() + 20_000;
  setTimeout(() => { state.sent = false; }, 6000);
  act({ kind: "say", channel: state.channel, text });
});
// What one's own team can ask: another team's campaigns would not be found.
export function suggest() {
  const box = $("ideas");
  if (box.dataset.team === state.team) return;
  box.dataset.team = state.team;
  box.replaceChildren(...(IDEAS[state.team] ?? IDEAS[""]).map((idea) => make("button", { type: "button", onclick: () => { line.value = idea; line.focus(); } }, idea)));
}
