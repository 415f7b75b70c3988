// Modals, in the browser's own dialog: it keeps the focus inside, and gives it back.
import { act, make, state, $ } from "/assets/state.js";
import { blocks } from "/assets/blocks.js";
import { textOf } from "/assets/mrkdwn.js";
import { focusKey, refocus } from "/assets/talk.js";

let dialog = null;
let shown = "";

export function confirmed(question) {
  return new Promise((decide) => {
    const box = make("dialog", { class: "modal", role: "alertdialog", "aria-label": question.title.text },
      make("h2", {}, question.title.text), make("div", { class: "content" }, textOf(question.text)),
      make("div", { class: "foot" },
        make("button", { type: "button", class: "btn", autofocus: true, onclick: () => box.close("") }, question.deny.text),
        make("button", { type: "button", class: "btn danger", onclick: () => box.close("yes") }, question.confirm.text)));
    box.addEventListener("close", () => { decide(box.returnValue === "yes"); box.remove(); });
    document.body.append(box);
    box.showModal();
  });
}

const close = () => act({ kind: "close" });

export function showModal() {
  const view = state.data.modal;
  const key = JSON.stringify(view ?? null);
  if (key === shown) return;
  shown = key;
  if (!view) {
    dialog?.close();
    dialog?.remove();
    dialog = null;
    if (document.activeElement === document.body) $("text").focus();
    return;
  }
  const fresh = !dialog;
  dialog ??= make("dialog", { class: "modal", oncancel: (event) => { event.preventDefault(); close(); } });
  const held = focusKey(dialog);
  const top = dialog.dataset.id === view.id ? dialog.querySelector(".content")?.scrollTop ?? 0 : 0;
  const foot = [make("button", { type: "button", class: "btn", onclick: close }, view.close?.text ?? "Close")];
  if (view.submit) foot.push(make("button", { type: "button", class: "btn primary", onclick: submit }, view.submit.text));
  dialog.setAttribute("aria-label", view.title.text);
  dialog.replaceChildren(make("h2", { tabindex: "-1" }, view.title.text), make("div", { class: "content", tabindex: "0" }, ...blocks(view.blocks, {})), make("div", { class: "foot" }, ...foot));
  if (fresh) { document.body.append(dialog); dialog.showModal(); }
  const again = dialog.dataset.id === view.id && refocus(dialog, held);
  dialog.dataset.id = view.id;
  dialog.querySelector(".content").scrollTop = top;
  // A form begins at its first field, anything else at its heading: never at a button, which Enter would press unread.
  const field = view.submit && dialog.querySelector(".content :is(select, input)");
  if (!again) (field || dialog.querySelector("h2")).focus({ preventScroll: true });
}

export function submit() {
  const values = {};
  for (const input of dialog.querySelectorAll("[data-block]")) {
    const { block, action, kind } = input.dataset;
    values[block] ??= {};
    if (kind === "conversation") values[block][action] = { type: "conversations_select", selected_conversation: input.value };
    else if (input.tagName === "SELECT") values[block][action] = { selected_option: { value: input.value } };
    else if (input.type === "date") values[block][action] = { type: "datepicker", selected_date: input.value || null };
    else if (input.type === "text") values[block][action] = { type: "plain_text_input", value: input.value || null };
    else if (kind === "people") {
      values[block][action] ??= { type: "multi_users_select", selected_users: [] };
      if (input.checked) values[block][action].selected_users.push(input.value);
    } else {
      values[block][action] ??= { selected_options: [] };
      if (input.checked) values[block][action].selected_options.push({ value: input.value });
    }
  }
  state.watching = Date.now() + 20_000;
  act({ kind: "submit", values });
}
