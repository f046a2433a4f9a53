// The frame of the page: who is signed in, which view is shown, and whether the service is heard.

import { api } from "./api.js";
import { cameraView } from "./camera.js";
import { el, put } from "./dom.js";
import { eventsView } from "./events.js";
import { feed } from "./feed.js";
import { loginView } from "./login.js";
import { systemView } from "./system.js";
import { wallView } from "./wall.js";

const main = document.getElementById("main");
const bar = document.getElementById("bar");
const NAVIGATION = { "": "Cameras", events: "Events", system: "System" };

let view = null; // { leave?: () => Promise<bool>, close?: () => void }
let shown = null; // the address of it
let turning = false;

function drawBar(session) {
  const links = Object.entries(NAVIGATION).map(([where, word]) => el("a", { href: `#/${where}`, data: { where } }, word));
  const out = async () => {
    await api.post("api/logout").catch(() => null);
    location.reload();
  };
  put(
    bar,
    el("a", { class: "brand", href: "#/" }, el("img", { src: "page/icon.svg", alt: "", width: 22, height: 22 }), el("span", {}, "motionseg")),
    el("nav", { "aria-label": "Views" }, links),
    el("span", { class: "heard", id: "heard", role: "status" }, el("i", { class: "dot" }), el("span", {}, "Connecting")),
    session.needed && el("button", { class: "quiet", onclick: out }, "Sign out"),
  );
}

function showConnection(connected) {
  const heard = document.getElementById("heard");
  heard?.classList.toggle("good", connected);
  if (heard) heard.lastChild.textContent = connected ? "Live" : "Offline";
  document.getElementById("lost").hidden = connected;
  document.body.classList.toggle("offline", !connected);
}

function viewOf(path) {
  const [where, name, tab] = path;
  if (where === "events") return eventsView(main, name);
  if (where === "system") return systemView(main);
  if (where === "camera" && name) return cameraView(main, name, tab ?? "live");
  return wallView(main);
}

async function turn() {
  if (turning || location.hash === shown) return;
  const path = location.hash.replace(/^#\/?/, "").split("/");
  if (view?.stay?.(path)) {
    shown = location.hash;
    return;
  }
  turning = true;
  const goes = (await view?.leave?.()) ?? true;
  turning = false;
  if (!goes) {
    history.replaceState(null, "", shown || "#/");
    return;
  }
  view?.close?.();
  put(main);
  main.className = "";
  shown = location.hash;
  const where = path[0] === "camera" ? "" : path[0];
  for (const link of bar.querySelectorAll("nav a")) {
    if (link.dataset.where === where) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  view = viewOf(path);
  window.scrollTo(0, 0);
}

async function start() {
  let session;
  try {
    session = await api.get("api/session");
  } catch {
    document.getElementById("lost").hidden = false;
    setTimeout(start, 2000);
    return;
  }
  document.getElementById("lost").hidden = true;
  if (!session.signed_in) {
    view?.close?.();
    view = null;
    put(bar);
    put(main, loginView(start));
    return;
  }
  drawBar(session);
  shown = null;
  feed.start();
  await turn();
}

feed.on("connection", showConnection);
window.addEventListener("hashchange", turn);
window.addEventListener("signed-out", () => {
  feed.stop();
  start();
});
window.addEventListener("beforeunload", (event) => view?.unsaved?.() && event.preventDefault());
start();
