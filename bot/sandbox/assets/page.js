// Shows what Slack would show, and sends what a person does. All text goes in as text nodes: nothing is parsed as HTML.
"use strict";

const EMOJI = {
  inbox_tray: "📥", printer: "🖨️", handshake: "🤝", truck: "🚚", post_office: "🏣", mailbox_with_mail: "📬",
  leftwards_arrow_with_hook: "↩️", no_entry_sign: "🚫", grey_question: "❔", warning: "⚠️", mute: "🔇", checkered_flag: "🏁", calendar: "📅", dollar: "💵", rotating_light: "🚨", white_check_mark: "✅", x: "❌",
  white_large_square: "⬜", black_large_square: "⬛", large_purple_square: "🟪", large_blue_square: "🟦", large_yellow_square: "🟨", large_green_square: "🟩",
  large_orange_square: "🟧", large_brown_square: "🟫", white_square_button: "🔳",
};
const IDEAS = [
  "/mailstatus Spring", "/mailstatus", "/mailstatus last month", "/mailtrack Jane", "/mailtrack 787", "/mailalerts",
  "/mailstatus Holiday postcards", "/mailstatus help", "@Piecewise status Fall",
];
const HOME = "home";
const state = { me: "U0ANA", channel: "C0OPS", data: null, read: {}, modal: "", window: crypto.randomUUID() };
const $ = (id) => document.getElementById(id);

function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "class") element.className = value;
    else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== undefined && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children);
  return element;
}

const unescape = (text) => text.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");
const nameOf = (id) => state.data.users.find((user) => user.id === id)?.name ?? (id === state.data.bot ? "Piecewise" : id);
const channelOf = (id) => state.data.channels.find((channel) => channel.id === id)?.name ?? id;

function slackDate(seconds, form) {
  const moment = new Date(Number(seconds) * 1000);
  const day = moment.toLocaleDateString("en-US", { timeZone: state.data.zone, month: "short", day: "numeric", year: "numeric" });
  const time = moment.toLocaleTimeString("en-US", { timeZone: state.data.zone, hour: "numeric", minute: "2-digit" });
  return form.replace("{date_short_pretty}", day).replace("{time}", time).replace("{time_secs}", time);
}

function special(token) {
  const [, kind, rest] = token.match(/^([!@#]?)(.*)$/s);
  if (kind === "@") return make("span", { class: "mention" }, "@" + nameOf(rest.split("|")[0]));
  if (kind === "#") return make("span", { class: "mention" }, "#" + channelOf(rest.split("|")[0]));
  if (kind === "!" && rest.startsWith("date^")) {
    const [, seconds, form] = rest.split("|")[0].split("^");
    return document.createTextNode(slackDate(seconds, form));
  }
  if (kind === "!") return make("span", { class: "mention" }, "@" + rest);
  const [url, label] = rest.split("|");
  return make("a", { href: url, rel: "noreferrer" }, label ?? url);
}

const STYLES = [[/^`([^`\n]+)`/, "code"], [/^\*([^*\n]+)\*/, "strong"], [/^_([^_\n]+)_/, "em"], [/^~([^~\n]+)~/, "s"]];

function mrkdwn(text) {
  const out = document.createDocumentFragment();
  let plain = "";
  const flush = () => { if (plain) out.append(unescape(plain)); plain = ""; };
  for (let at = 0; at < text.length;) {
    const rest = text.slice(at);
    const token = rest.match(/^<([^<>]+)>/);
    const emoji = rest.match(/^:([a-z_]+):/);
    const styled = /[\w]$/.test(plain) ? null : STYLES.map(([form, tag]) => [rest.match(form), tag]).find(([match]) => match);
    if (token) { flush(); out.append(special(token[1])); at += token[0].length; }
    else if (emoji && EMOJI[emoji[1]]) { plain += EMOJI[emoji[1]]; at += emoji[0].length; }
    else if (styled) {
      flush();
      const [match, tag] = styled;
      out.append(make(tag, {}, tag === "code" ? unescape(match[1]) : mrkdwn(match[1])));
      at += match[0].length;
    } else if (text[at] === "\n") { flush(); out.append(make("br")); at += 1; }
    else { plain += text[at]; at += 1; }
  }
  flush();
  return out;
}

const textOf = (object) => (object.type === "mrkdwn" ? mrkdwn(object.text) : document.createTextNode(object.text));

async function act(wish) {
  const answer = await fetch("/do", { method: "POST", body: JSON.stringify({ user: state.me, window: state.window, ...wish }) });
  const { ok, error, said } = await answer.json();
  $("note").textContent = ok ? said : `Slack says: ${error}`;
}

function confirmed(question) {
  return new Promise((decide) => {
    const end = (answer) => { $("overlay").replaceChildren(); $("overlay").hidden = true; state.modal = ""; decide(answer); showModal(); };
    const box = make("div", { class: "modal", role: "alertdialog", "aria-label": question.title.text },
      make("h1", {}, question.title.text), make("div", { class: "content" }, textOf(question.text)),
      make("div", { class: "foot" },
        make("button", { class: "btn", onclick: () => end(false) }, question.deny.text),
        make("button", { class: "btn danger", onclick: () => end(true) }, question.confirm.text)));
    state.modal = "confirm";
    $("overlay").replaceChildren(box);
    $("overlay").hidden = false;
    box.querySelector(".danger").focus();
  });
}

async function press(element, place, value, target) {
  if (element.confirm && !(await confirmed(element.confirm))) return;
  if (target?.isConnected) target.disabled = true;
  await act({ kind: "press", action: element.action_id, value, ...place });
  if (target?.isConnected) target.disabled = false;
}

function control(element, place) {
  if (element.type === "button") {
    return make("button", {
      class: `btn ${element.style ?? ""}`, "aria-label": element.accessibility_label,
      onclick: (event) => { if (element.url) $("note").textContent = `This would open ${element.url}`; press(element, place, element.value, event.target); },
    }, element.text.text);
  }
  if (element.type === "datepicker") {
    const day = make("input", { type: "date", class: "day", "aria-label": element.placeholder?.text ?? "Choose a day", name: element.action_id, value: element.initial_date });
    if (place) day.addEventListener("change", () => day.value && press(element, place, day.value, day));
    return day;
  }
  const select = make("select", { "aria-label": element.placeholder?.text ?? "Choose", name: element.action_id });
  if (!element.initial_option) select.append(make("option", { value: "", selected: true }, element.placeholder?.text ?? "Choose…"));
  for (const option of element.options) {
    select.append(make("option", { value: option.value, selected: option.value === element.initial_option?.value }, option.text.text));
  }
  if (place) select.addEventListener("change", () => press(element, place, select.value, select));
  return select;
}

function inputBlock(block, place) {
  const element = block.element;
  if (element.type === "conversations_select") {
    const menu = make("select", { "aria-label": block.label.text });
    for (const channel of state.data.channels) menu.append(make("option", { value: channel.id }, `#${channel.name}`));
    menu.dataset.conversation = "yes";
    return make("div", {}, make("label", {}, block.label.text), inputNamed(block, menu));
  }
  if (element.type === "static_select") return make("div", {}, make("label", {}, block.label.text), inputNamed(block, control(element, null)));
  if (element.type === "plain_text_input") {
    const line = make("input", {
      type: "text", class: "field", "aria-label": block.label.text, placeholder: element.placeholder?.text, value: element.initial_value, maxlength: element.max_length,
      onkeydown: (event) => {
        if (event.key !== "Enter") return;
        if (block.dispatch_action) { if (event.target.value) press(element, place, event.target.value, event.target); } else submit();
      },
    });
    return make("div", {}, make("label", {}, block.label.text), inputNamed(block, line));
  }
  if (element.type === "multi_users_select") {
    const picked = element.initial_users ?? [];
    const people = state.data.users.map((user) => make("label", { class: "box" },
      make("input", { type: "checkbox", value: user.id, checked: picked.includes(user.id), "data-block": block.block_id, "data-action": element.action_id, "data-people": "yes" }),
      " ", user.name));
    return make("div", {}, make("label", {}, block.label.text), ...people);
  }
  const chosen = (element.initial_options ?? []).map((option) => option.value);
  const boxes = element.options.map((option) => make("label", { class: "box" },
    make("input", { type: "checkbox", value: option.value, checked: chosen.includes(option.value), "data-block": block.block_id, "data-action": element.action_id }),
    " ", option.text.text));
  return make("div", {}, make("label", {}, block.label.text), ...boxes);
}

function inputNamed(block, select) {
  select.dataset.block = block.block_id;
  select.dataset.action = block.element.action_id;
  return select;
}

const BLOCKS = {
  header: (block) => make("div", { class: "block header" }, block.text.text),
  section: (block, place) => {
    const text = make("div", { class: "text" }, ...(block.text ? [textOf(block.text)] : []), ...(block.fields ?? []).map((field) => make("div", {}, textOf(field))));
    return make("div", { class: "block section" }, text, ...(block.accessory ? [control(block.accessory, place)] : []));
  },
  context: (block) => make("div", { class: "block context" }, ...block.elements.map((element) => make("div", {}, textOf(element)))),
  actions: (block, place) => make("div", { class: "block actions" }, ...block.elements.map((element) => control(element, place))),
  divider: () => make("div", { class: "block" }, make("hr")),
  image: (block) => make("div", { class: "block" }, make("img", { src: block.image_url ?? `/files/${block.slack_file.id}`, alt: block.alt_text, width: 1280, height: 800, style: "height:auto" })),
  input: inputBlock,
};

const blocks = (list, place) => list.map((block) => BLOCKS[block.type](block, place));

function message(one, replies) {
  const bot = one.user === state.data.bot;
  const time = new Date(Number(one.ts.split(".")[0]) * 1000).toLocaleTimeString("en-US", { timeZone: state.data.zone, hour: "numeric", minute: "2-digit" });
  const content = one.blocks.length ? blocks(one.blocks, { ts: one.ts }) : [make("div", { class: "block" }, mrkdwn(one.text))];
  for (const file of one.files) {
    content.push(make("div", { class: "block" }, make("a", { href: `/files/${file.id}`, download: file.name, class: "file" }, `📄 ${file.name}`)));
  }
  const notes = [one.private ? make("div", { class: "only" }, "Only visible to you") : "", ];
  const thread = replies.length ? [make("div", { class: "replies", "aria-label": `${replies.length} in thread` }, ...replies.map((reply) => message(reply, [])))] : [];
  return make("article", { class: `message ${one.private ? "private" : ""}`, "data-ts": one.ts },
    make("div", { class: `face ${bot ? "bot" : ""}`, "aria-hidden": "true" }, bot ? "P" : nameOf(one.user)[0]),
    make("div", { class: "body" },
      make("div", { class: "who-said" }, nameOf(one.user), make("small", {}, `${time}${one.edits ? " · edited" : ""}`)),
      ...notes, ...content, ...thread));
}

function showHome() {
  const box = $("messages");
  const view = state.data.home;
  const key = JSON.stringify(view);
  if (box.dataset.key === key) return;
  const top = box.dataset.key?.startsWith('{"id"') ? box.scrollTop : 0;
  box.dataset.key = key;
  box.replaceChildren(make("div", { class: "home" }, ...(view ? blocks(view.blocks, { home: true }) : [make("p", { class: "empty" }, "Opening Home…")])));
  box.scrollTop = top;
}

function showMessages() {
  const box = $("messages");
  if (state.channel === HOME) { showHome(); return; }
  const here = state.data.messages.filter((one) => one.channel === state.channel);
  const atEnd = box.scrollHeight - box.scrollTop - box.clientHeight < 80;
  const parents = new Set(here.map((one) => one.ts));
  const tops = here.filter((one) => !one.thread || !parents.has(one.thread));
  const key = JSON.stringify(here);
  if (box.dataset.key === key) return;
  const grown = Number(box.dataset.count ?? 0) < here.length;
  box.dataset.key = key;
  box.dataset.count = here.length;
  box.replaceChildren(...tops.map((one) => message(one, here.filter((reply) => reply.thread === one.ts))));
  if (!tops.length) box.append(make("p", { class: "empty" }, "Nothing here yet. Pick one of the suggestions below."));
  if (atEnd || grown) {
    box.scrollTop = box.scrollHeight;
    box.querySelectorAll("img").forEach((img) => img.addEventListener("load", () => { box.scrollTop = box.scrollHeight; }, { once: true }));
  }
  state.read[state.channel] = here.length;
}

function showChannels() {
  const count = (id) => state.data.messages.filter((one) => one.channel === id).length;
  const home = make("li", {}, make("button", {
    "aria-current": String(state.channel === HOME),
    onclick: () => { state.channel = HOME; $("messages").dataset.key = ""; act({ kind: "home" }); show(); },
  }, "Piecewise (Home)"));
  $("channels").replaceChildren(home, ...state.data.channels.map((channel) => make("li", {}, make("button", {
    "aria-current": String(channel.id === state.channel),
    class: count(channel.id) > (state.read[channel.id] ?? 0) && channel.id !== state.channel ? "new" : "",
    onclick: () => { state.channel = channel.id; $("messages").dataset.key = ""; $("messages").dataset.count = 0; show(); },
  }, channel.direct ? "Piecewise (direct)" : `# ${channel.name}`, ...(channel.bot ? [] : [make("small", {}, " · bot not invited")])))));
}

function showModal() {
  if (state.modal === "confirm") return;
  const view = state.data.modal;
  const key = JSON.stringify(view);
  if (key === state.modal) return;
  state.modal = key;
  $("overlay").hidden = !view;
  if (!view) { $("overlay").replaceChildren(); return; }
  const close = () => act({ kind: "close" });
  const foot = [make("button", { class: "btn", onclick: close }, view.close?.text ?? "Close")];
  if (view.submit) foot.push(make("button", { class: "btn primary", onclick: submit }, view.submit.text));
  $("overlay").replaceChildren(make("div", { class: "modal", role: "dialog", "aria-modal": "true", "aria-label": view.title.text },
    make("h1", {}, view.title.text), make("div", { class: "content" }, ...blocks(view.blocks, {})), make("div", { class: "foot" }, ...foot)));
  $("overlay").querySelector("select, input, button")?.focus();
}

function submit() {
  const values = {};
  for (const input of $("overlay").querySelectorAll("[data-block]")) {
    const { block, action } = input.dataset;
    values[block] ??= {};
    if (input.dataset.conversation) values[block][action] = { type: "conversations_select", selected_conversation: input.value };
    else if (input.tagName === "SELECT") values[block][action] = { selected_option: { value: input.value } };
    else if (input.type === "text") values[block][action] = { type: "plain_text_input", value: input.value || null };
    else if (input.dataset.people) {
      values[block][action] ??= { type: "multi_users_select", selected_users: [] };
      if (input.checked) values[block][action].selected_users.push(input.value);
    } else {
      values[block][action] ??= { selected_options: [] };
      if (input.checked) values[block][action].selected_options.push({ value: input.value });
    }
  }
  act({ kind: "submit", values });
}

function show() {
  tell();
  const who = $("who");
  if (!who.options.length) who.append(...state.data.users.map((user) => make("option", { value: user.id }, `${user.name}${user.admin ? " (admin)" : ""}`)));
  $("composer").hidden = state.channel === HOME;
  showChannels();
  showMessages();
  showModal();
}

function tell() {
  const moment = new Date(state.data.now * 1000);
  $("day").textContent = moment.toLocaleString("en-US", { timeZone: state.data.zone, weekday: "short", month: "short", day: "numeric", year: "numeric", hour: "numeric", minute: "2-digit" });
  $("pace").textContent = state.data.paused ? "paused" : `a day every ${state.data.day_seconds} seconds`;
}

async function follow() {
  let since = "";
  let me = state.me;
  for (;;) {
    try {
      const answer = await fetch(`/state?user=${state.me}&window=${state.window}&since=${me === state.me ? since : ""}`);
      me = state.me;
      state.data = { ...state.data, ...(await answer.json()) };
      if (since === state.data.version) { tell(); continue; }
      since = state.data.version;
      show();
    } catch {
      $("note").textContent = "The demo has ended. Start it again with make demo.";
      await new Promise((wait) => setTimeout(wait, 1500));
    }
  }
}

$("ideas").append(...IDEAS.map((idea) => make("button", { type: "button", onclick: () => { $("text").value = idea; $("text").focus(); } }, idea)));
$("composer").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = $("text").value;
  $("text").value = "";
  if (text.trim()) act({ kind: "say", channel: state.channel, text });
});
$("return").addEventListener("click", () => act({ kind: "event", name: "return" }));
$("who").addEventListener("change", (event) => { state.me = event.target.value; $("messages").dataset.key = ""; state.modal = "?"; if (state.channel === HOME) act({ kind: "home" }); fetch(`/state?user=${state.me}&window=${state.window}`).then((a) => a.json()).then((data) => { state.data = data; show(); }); });
document.addEventListener("keydown", (event) => { if (event.key === "Escape" && state.data?.modal && state.modal !== "confirm") act({ kind: "close" }); });
follow();
