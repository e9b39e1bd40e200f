// Which view is shown, how the connection is, the key, and files that are dropped anywhere.

import { ask, saveKey, savedKey } from "./api.js";
import { $ } from "./dom.js";
import { List } from "./list.js";
import { forget, processors } from "./processors.js";
import { Review, announce } from "./review.js";
import { Task } from "./task.js";

const list = new List(), task = new Task();
const review = new Review((tasks, alone) => { announce(tasks, alone); list.refresh(); });

function route() {
  const [path, query = ""] = location.hash.slice(1).split("?"), [, name, id, page] = path.split("/"), parameters = new URLSearchParams(query);
  processors().catch(() => {});
  if (name === "tasks" && id) {
    list.hide();
    task.show(id, Number(page) || 1, parameters.get("view"));
  } else {
    task.hide();
    document.title = "Bindery";
    list.show(parameters);
  }
}

function offer(files) {
  if (location.hash.startsWith("#/tasks/")) location.hash = "#/";
  review.add([...files]);
}

$("files").addEventListener("change", (event) => { offer(event.target.files); event.target.value = ""; });
for (const name of ["dragenter", "dragover"]) document.addEventListener(name, (event) => {
  if (!event.dataTransfer?.types.includes("Files")) return;
  event.preventDefault();
  document.body.classList.add("dropping");
});
document.addEventListener("dragleave", (event) => { if (!event.relatedTarget) document.body.classList.remove("dropping"); });
document.addEventListener("drop", (event) => {
  event.preventDefault();
  document.body.classList.remove("dropping");
  if (event.dataTransfer?.files.length) offer(event.dataTransfer.files);
});
$("sample").addEventListener("click", async () => {
  const blob = await (await ask("GET", "ui/sample.pdf")).blob();
  review.add([new File([blob], "sample.pdf", { type: "application/pdf" })]);
});
// A menu closes when something else is used.
document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("details.menu[open]")) if (!menu.contains(event.target)) menu.open = false;
});
document.addEventListener("keydown", (event) => {
  const open = event.key === "Escape" && document.querySelector("details.menu[open]");
  if (!open) return;
  open.open = false;
  open.querySelector("summary").focus();
  event.stopImmediatePropagation();
}, true);

window.addEventListener("recovered", () => { processors().catch(() => {}); });
window.addEventListener("connection", ({ detail: there }) => {
  $("connection").textContent = there ? "" : "The server cannot be reached. Trying again …";
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
  forget();
  task.leave();
  route();
});
$("change-key").addEventListener("click", () => {
  saveKey("");
  ask("GET", "v1/tasks?limit=1").catch(() => {});
});
$("change-key").hidden = !savedKey();

window.addEventListener("hashchange", () => { route(); $("main").focus({ preventScroll: true }); scrollTo(0, 0); });
route();
