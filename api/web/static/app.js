// A form is sent once, however often its button is pressed; again when the page is shown again.
const sent = new WeakSet();
addEventListener("submit", (event) => {
  if (sent.has(event.target)) event.preventDefault();
  sent.add(event.target);
});
addEventListener("pageshow", (event) => {
  if (event.persisted) document.querySelectorAll("form").forEach((form) => sent.delete(form));
});

// Parts of a page that show what changes ask again when they are told to ("sse:…"), and by themselves now and then:
// every 15 seconds without a stream, every minute with one. What has the focus is not replaced under one's hands.
const EVERY = 15_000;
let isTold = false;
let turns = 0;
const parts = () => document.querySelectorAll("[data-live]");
const lookAgain = () => parts().forEach((part) => htmx.trigger(part, "look"));
document.addEventListener("htmx:sseOpen", () => { isTold = true; lookAgain(); });
for (const end of ["htmx:sseError", "htmx:sseClose"]) document.addEventListener(end, () => { isTold = false; });

// Who looks at a page whose server is gone is told so: what stands there may be old.
function tell(isLost) {
  const place = document.getElementById("lost");
  if (!place || isLost === Boolean(place.textContent)) return;
  const now = new Date().toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });
  place.textContent = isLost ? `tokgate does not answer, at least since ${now} by your clock. What stands here may be old; it is asked for again by itself.` : "";
  place.className = isLost ? "notice" : "";
}
document.addEventListener("htmx:sendError", () => tell(true));
document.addEventListener("htmx:afterOnLoad", (event) => tell(event.detail.xhr.status >= 502));
document.addEventListener("visibilitychange", () => { if (!document.hidden) lookAgain(); });
setInterval(() => { if (!document.hidden && (!isTold || ++turns % 4 === 0)) lookAgain(); }, EVERY);
document.addEventListener("htmx:beforeSwap", (event) => {
  const part = event.target;
  if (!(part instanceof Element) || !part.matches("[data-live]") || !part.contains(document.activeElement)) return;
  event.detail.shouldSwap = false;
  part.addEventListener("focusout", () => setTimeout(() => htmx.trigger(part, "look")), { once: true });
});

// Of many choices the chosen ones and the first that fit what is typed are shown; without scripts all are.
const MANY = 24;
document.querySelectorAll("fieldset").forEach((set) => {
  const choices = [...set.querySelectorAll("label.choice")];
  const legend = set.querySelector("legend");
  if (choices.length <= MANY || !legend) return;
  const find = document.createElement("input");
  const said = document.createElement("output");
  Object.assign(find, { type: "search", placeholder: "Type a part of a name", autocomplete: "off", spellcheck: false, className: "find" });
  find.setAttribute("aria-label", `Find, in: ${legend.firstChild.textContent.trim()}`);
  said.className = "hint";
  const narrow = () => {
    const wanted = find.value.trim().toLowerCase();
    let fit = 0;
    let shown = 0;
    for (const label of choices) {
      const box = label.querySelector("input");
      const fits = `${label.textContent} ${box.value}`.toLowerCase().includes(wanted);
      label.hidden = !box.checked && !(fits && shown < MANY);
      fit += fits;
      shown += !label.hidden;
    }
    const chosen = choices.filter((label) => label.querySelector("input").checked).length;
    said.value = `${fit} of ${choices.length} fit; ${shown} are shown, ${chosen} chosen.`;
  };
  find.addEventListener("input", narrow);
  find.addEventListener("keydown", (event) => { if (event.key === "Enter") event.preventDefault(); });
  set.addEventListener("change", narrow);
  legend.after(find, said);
  narrow();
});
