"use strict";
// The panel's page: what it says while widgets come, when the connection goes, and when it is left.
(() => {
  const sockets = new Set();
  const LOOK_MS = 2000, PATIENCE_MS = 15000, SLOW_MS = 20000;
  let lostSince = 0, isLeft = false;

  const find = (selector) => document.querySelector(selector);
  const show = (selector, isShown) => { const found = find(selector); if (found) found.hidden = !isShown; };
  const kernel = () => `/api/kernels/${document.body.dataset.kernel}`;

  // Voilà's own beacon goes off at downloads, too, and ends a page that stays.
  window.addEventListener("beforeunload", (event) => event.stopImmediatePropagation(), true);
  window.addEventListener("pagehide", () => {
    isLeft = true;
    const form = new FormData();
    form.append("_xsrf", document.body.dataset.xsrf);
    navigator.sendBeacon(`${kernel()}/end`, form);
  });
  window.addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });

  const Plain = window.WebSocket;
  window.WebSocket = class extends Plain {
    constructor(...given) {
      super(...given);
      this.addEventListener("open", () => { sockets.add(this); lostSince = 0; show(".fk-lost", false); });
      this.addEventListener("close", () => { sockets.delete(this); if (!sockets.size && !isLeft) lose(); });
    }
  };

  function lose() {
    if (lostSince) return;
    lostSince = Date.now();
    show(".fk-lost", true);
    setTimeout(look, 200);
  }

  // Is the session over, is the kernel gone, or only the connection?
  async function look() {
    if (!lostSince || isLeft) return;
    try {
      const answer = await fetch(kernel(), { redirect: "manual", cache: "no-store" });
      const isGone = answer.status === 404 || (answer.ok && Date.now() - lostSince > PATIENCE_MS);
      if (answer.status === 403) return location.assign("/login");
      if (isGone) return location.reload();
    } catch { /* not reachable: the next look may be luckier */ }
    setTimeout(look, LOOK_MS);
  }

  function arrived() {
    show(".fk-loading", false);
    show(".fk-slow", false);
    document.body.dataset.arrived = String(Math.round(performance.now()));
  }

  window.voila_heartbeat = window.voila_finish = () => {};
  window.cellLoaded = true;
  document.addEventListener("DOMContentLoaded", () => {
    const place = find("#fk-content");
    if (find(".fk-failed")) return show(".fk-loading", false);
    const slow = setTimeout(() => show(".fk-slow", true), SLOW_MS);
    const watch = new MutationObserver(() => {
      if (!place.querySelector(".jupyter-widgets")) return;
      watch.disconnect();
      clearTimeout(slow);
      arrived();
    });
    watch.observe(place, { childList: true, subtree: true });
  });
})();
