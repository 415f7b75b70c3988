// Slack's blocks as elements. What is pressed goes to the bot; `place` says where it stands.
import { act, make, placeName, state } from "/assets/state.js";
import { mrkdwn, textOf } from "/assets/mrkdwn.js";
import { confirmed, submit } from "/assets/dialog.js";
import { toast } from "/assets/signs.js";

async function press(element, place, value, target) {
  if (target.getAttribute("aria-busy") === "true") return;
  if (element.confirm && !(await confirmed(element.confirm))) return;
  // Not `disabled`: that would take the focus away.
  target.setAttribute("aria-busy", "true");
  state.watching = Date.now() + 20_000;
  await act({ kind: "press", action: element.action_id, value, ...place });
  target.removeAttribute("aria-busy");
}

// A browser tells of a day at each digit that is typed: one that is typed is taken at Enter, or once the field is left.
function pressOnceChosen(day, element, place) {
  let typing = false;
  let sent = day.value;
  const take = () => {
    // What is no longer there was not left by a person: its message changed.
    if (!day.isConnected || !day.value || day.value === sent) return;
    // The day before is still on its way.
    if (day.getAttribute("aria-busy") === "true") { setTimeout(take, 200); return; }
    sent = day.value;
    press(element, place, day.value, day);
  };
  day.addEventListener("keydown", (event) => { if (/^(\d|Backspace|Delete|ArrowUp|ArrowDown)$/.test(event.key) && !event.altKey) typing = true; else if (event.key === "Enter") { typing = false; take(); } });
  // In the calendar, which a click opens, or Alt and an arrow.
  day.addEventListener("pointerdown", () => { typing = false; });
  day.addEventListener("change", () => { if (!typing) take(); });
  day.addEventListener("blur", () => { typing = false; setTimeout(take); });
}

function control(element, place) {
  const key = `${element.action_id}|${element.value ?? ""}`;
  if (element.type === "button") {
    return make("button", {
      type: "button", class: `btn ${element.style ?? ""}`, "aria-label": element.accessibility_label, "data-key": key,
      onclick: (event) => { if (element.url) toast(`This would open ${element.url}`); press(element, place, element.value, event.currentTarget); },
    }, element.text.text);
  }
  if (element.type === "datepicker") {
    const day = make("input", { type: "date", class: "day", "aria-label": element.placeholder?.text ?? "Choose a day", name: element.action_id, value: element.initial_date, "data-key": key });
    if (!place) return day;
    pressOnceChosen(day, element, place);
    // Slack shows what it is for until a day is chosen; a browser's own field has no room for that.
    return element.initial_date ? day : make("label", { class: "pick" }, element.placeholder?.text ?? "", day);
  }
  const select = make("select", { "aria-label": element.placeholder?.text ?? "Choose", name: element.action_id, "data-key": key });
  if (!element.initial_option) select.append(make("option", { value: "", selected: true }, element.placeholder?.text ?? "Choose…"));
  for (const option of element.options) {
    select.append(make("option", { value: option.value, selected: option.value === element.initial_option?.value }, option.text.text));
  }
  if (place) select.addEventListener("change", () => press(element, place, select.value, select));
  return select;
}

const named = (block, element) => {
  element.dataset.block = block.block_id;
  element.dataset.action = block.element.action_id;
  element.dataset.key ??= `${block.block_id}|`;
  return element;
};

function boxes(block, choices, kind) {
  return make("fieldset", {}, make("legend", {}, block.label.text), ...choices.map(({ value, text, checked }) => make("label", { class: "box" },
    named(block, make("input", { type: "checkbox", value, checked, "data-kind": kind, "data-key": `${block.block_id}|${value}` })), " ", text)));
}

function inputBlock(block, place) {
  const element = block.element;
  const label = (control) => make("div", {}, make("label", {}, block.label.text, control));
  if (element.type === "conversations_select") {
    const kinds = element.filter?.include ?? ["public"];
    const fitting = state.data.channels.filter((channel) => (channel.direct ? kinds.includes("im") : true));
    const menu = make("select", { "aria-label": block.label.text, "data-kind": "conversation" });
    for (const channel of fitting) {
      menu.append(make("option", { value: channel.id, selected: channel.id === element.initial_conversation }, placeName(channel)));
    }
    return label(named(block, menu));
  }
  if (element.type === "static_select") return label(named(block, control(element, null)));
  if (element.type === "datepicker") return label(named(block, control(element, null)));
  if (element.type === "plain_text_input") {
    return label(named(block, make("input", {
      type: "text", class: "field", "aria-label": block.label.text, placeholder: element.placeholder?.text, value: element.initial_value, maxlength: element.max_length,
      onkeydown: (event) => {
        if (event.key !== "Enter") return;
        event.preventDefault();
        if (!block.dispatch_action) submit();
        else if (event.target.value) press(element, place, event.target.value, event.target);
      },
    })));
  }
  if (element.type === "multi_users_select") {
    const picked = element.initial_users ?? [];
    return boxes(block, state.data.users.map((user) => ({ value: user.id, text: user.name, checked: picked.includes(user.id) })), "people");
  }
  const chosen = (element.initial_options ?? []).map((option) => option.value);
  return boxes(block, element.options.map((option) => ({ value: option.value, text: option.text.text, checked: chosen.includes(option.value) })), "boxes");
}

function picture(block) {
  const size = state.data.sizes?.[block.slack_file?.id] ?? [1080, 1350];
  return make("div", { class: "block" }, make("img", { src: block.image_url ?? `/files/${block.slack_file.id}?team=${state.team}`, alt: block.alt_text, width: size[0], height: size[1] }));
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
  image: picture,
  input: inputBlock,
};

export const blocks = (list, place) => list.map((block) => BLOCKS[block.type](block, place));
export const content = (one) => (one.blocks.length ? blocks(one.blocks, { ts: one.ts }) : [make("div", { class: "block" }, mrkdwn(one.text))]);
