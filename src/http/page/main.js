// Which view is shown, how the connection is, and the key.

import { ask, saveKey, savedKey } from "./api.js";
import { List } from "./list.js";
import { Task } from "./task.js";

const $ = (id) => document.getElementById(id);

/** Asks before something is lost. */
const confirm = (text) => new Promise((resolve) => {
  const dialog = $("confirm");
  $("confirm-text").textContent = text;
  dialog.returnValue = "no";
  dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  dialog.showModal();
});

const list = new List(confirm), task = new Task(confirm);

function route() {
  const [, name, id, page] = location.hash.split("/");
  if (name === "tasks" && id) {
    list.hide();
    task.show(id, Number(page) || 1);
  } else {
    task.hide();
    document.title = "Bindery";
    list.show();
  }
}

window.addEventListener("connection", ({ detail: there }) => {
  $("connection").textContent = there ? "" : "The server cannot be reached. Trying again …";
  $("connection").classList.toggle("bad", !there);
});

window.addEventListener("unauthorized", () => {
  const dialog = $("key-dialog");
  if (dialog.open) return;
  $("key-error").hidden = !savedKey();
  $("key").value = "";
  dialog.showModal();
});

$("key-dialog").addEventListener("cancel", (event) => event.preventDefault());
$("key-dialog").addEventListener("close", () => {
  saveKey($("key").value.trim());
  $("change-key").hidden = false;
  task.leave();
  route();
});
$("change-key").addEventListener("click", () => {
  saveKey("");
  ask("GET", "/v1/tasks?limit=1").catch(() => {});
});
$("change-key").hidden = !savedKey();

window.addEventListener("hashchange", () => { route(); $("main").focus({ preventScroll: true }); });
route();
