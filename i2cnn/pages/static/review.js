import { ask, byId, el, svg } from "./dom.js";

const NAMES = ["left eye", "right eye", "nose", "left corner of the mouth", "right corner of the mouth"];
const COLOURS = ["#ffdc3c", "#3cc8ff", "#ff8c3c", "#c8ff3c", "#ff78d2"];
const WORDS = { "no-face": "no face", "left-out": "left out", manual: "checked" };
// Side of what is shown of a face, in distances of the eyes.
const SIDE = 4.2;

let faces = [];
let current = 0;
let size = [1, 1];
let picture = "";
let whole = false;
let chosen = null;
let saving = Promise.resolve();
const done = [];

const stage = byId("stage");
const face = () => faces[current];

// Showing a face

async function open(index) {
  current = Math.max(0, Math.min(faces.length - 1, index));
  chosen = null;
  whole = face().found === "prior";
  const number = face().number;
  URL.revokeObjectURL(picture);
  picture = "";
  draw();
  try {
    const response = await fetch(`/api/faces/${number}/picture`);
    if (!response.ok) throw new Error((await response.json()).error);
    const blob = await response.blob();
    if (face().number !== number) return;
    size = response.headers.get("x-size").split(" ").map(Number);
    picture = URL.createObjectURL(blob);
    byId("unseen").textContent = "";
  } catch (error) {
    byId("unseen").textContent = error.message;
  }
  draw();
}

function view() {
  if (whole) return [-0.5, -0.5, size[0], size[1]];
  const [left, right] = face().points;
  const side = SIDE * Math.hypot(right[0] - left[0], right[1] - left[1]);
  const middle = [0, 1].map((axis) => face().points.reduce((sum, point) => sum + point[axis], 0) / 5);
  return [middle[0] - side / 2, middle[1] - side / 2, side, side];
}

function draw(box = view()) {
  const { image, label, subject, found, decision } = face();
  byId("title").textContent = `${image}: ${label}, ${subject} (${WORDS[shown(face())] || found})`;
  stage.setAttribute("viewBox", box.join(" "));
  const unit = Math.max(box[2], box[3]) / 100;
  const shapes = picture ? [svg("image", { href: picture, x: -0.5, y: -0.5, width: size[0], height: size[1] })] : [];
  shapes.push(...face().points.map((point, i) => grip(point, i, unit)));
  stage.replaceChildren(...shapes);
  for (const id of ["no-face", "left-out"]) byId(id).setAttribute("aria-pressed", String(decision === id));
  byId("whole").setAttribute("aria-pressed", String(whole));
  byId("undo").disabled = !done.length;
  list();
}

function grip([x, y], i, unit) {
  const group = svg("g", { class: chosen === i ? "point chosen" : "point", transform: `translate(${x} ${y})`, tabindex: 0, role: "button", "aria-label": NAMES[i], "data-point": i },
    svg("circle", { class: "grip", r: 5 * unit }),
    svg("circle", { class: "seen", r: 1.1 * unit, fill: COLOURS[i] }),
    svg("text", { x: 1.6 * unit, y: -1.2 * unit, "font-size": 3 * unit, "stroke-width": 0.6 * unit }, String(i + 1)));
  group.addEventListener("pointerdown", (event) => drag(event, i, group));
  group.addEventListener("focus", () => { chosen = i; });
  return group;
}

// Dragging

function place(event) {
  const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(stage.getScreenCTM().inverse());
  return [point.x, point.y];
}

function drag(event, i, group) {
  event.preventDefault();
  chosen = i;
  const before = state();
  const box = stage.getAttribute("viewBox").split(" ").map(Number);
  const start = place(event);
  const from = [...face().points[i]];
  group.setPointerCapture(event.pointerId);
  const move = (moved) => {
    const now = place(moved);
    face().points[i] = [from[0] + now[0] - start[0], from[1] + now[1] - start[1]];
    group.setAttribute("transform", `translate(${face().points[i].join(" ")})`);
  };
  const end = (ended) => {
    for (const [kind, act] of [["pointermove", move], ["pointerup", end], ["pointercancel", end]]) group.removeEventListener(kind, act);
    const isMoved = face().points[i].some((value, axis) => value !== from[axis]);
    if (ended.type === "pointercancel") face().points[i] = from;
    else if (isMoved) decide("manual", before);
    draw(box);
  };
  for (const [kind, act] of [["pointermove", move], ["pointerup", end], ["pointercancel", end]]) group.addEventListener(kind, act);
}

function nudge(dx, dy) {
  const before = state();
  const [x, y] = face().points[chosen];
  face().points[chosen] = [x + dx, y + dy];
  decide("manual", before);
  draw(stage.getAttribute("viewBox").split(" ").map(Number));
}

// Deciding; every decision is saved before the next one

function state() {
  return { index: current, decision: face().decision, points: face().points.map((point) => [...point]) };
}

function decide(decision, before = state()) {
  done.push(before);
  face().decision = decision;
  return save(current, before);
}

function save(index, before) {
  const entry = faces[index];
  const body = JSON.stringify({ decision: entry.decision, points: entry.points });
  byId("status").textContent = "saving ...";
  saving = saving.then(async () => {
    try {
      const saved = await ask(`/api/faces/${entry.number}`, { method: "POST", headers: { "Content-Type": "application/json" }, body });
      if (entry.decision === "as-found") entry.points = saved.points;
      byId("status").textContent = "saved";
      byId("fault").textContent = "";
    } catch (error) {
      const at = before ? done.lastIndexOf(before) : -1;
      if (at >= 0) {
        done.splice(at, 1);
        Object.assign(entry, { decision: before.decision, points: before.points });
      }
      byId("status").textContent = "not saved";
      byId("fault").textContent = `${entry.image} was not saved: ${error.message}`;
      draw();
    }
  });
  return saving;
}

async function undo() {
  const before = done.pop();
  if (!before) return;
  Object.assign(faces[before.index], { decision: before.decision, points: before.points });
  save(before.index, null);
  await open(before.index);
}

function leave(kind) {
  decide(face().decision === kind ? "as-found" : kind);
  if (face().decision === kind) open(current + 1);
  else draw();
}

function accept() {
  decide("manual");
  open(current + 1);
}

// The list, around the current face: a set may have thousands

const shown = (entry) => (entry.decision === "as-found" ? entry.found : entry.decision);

function list() {
  const first = Math.max(0, current - 40);
  const rows = faces.slice(first, current + 80).map((entry, i) => {
    const mustCheck = entry.check && entry.decision === "as-found";
    const isGone = ["no-face", "left-out"].includes(shown(entry));
    return el("li", { class: mustCheck ? "check" : null, "aria-current": first + i === current ? "true" : null },
      el("button", { type: "button", class: isGone ? "gone" : null, onclick: () => open(first + i) },
        entry.image, el("br"), el("b", {}, WORDS[shown(entry)] || entry.found)));
  });
  byId("list").replaceChildren(...rows);
  const now = rows[current - first];
  byId("list").scrollTop = now.offsetTop - byId("list").offsetTop - 80;
  const left = faces.filter((entry) => entry.check && entry.decision === "as-found").length;
  byId("table").textContent = `${table}: ${faces.length} faces, ${left} to be checked`;
}

// Keys and buttons

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const ACTS = {
  Enter: accept,
  x: () => leave("no-face"),
  d: () => leave("left-out"),
  u: undo,
  n: () => open(current + 1),
  p: () => open(current - 1),
  w: () => { whole = !whole; draw(); },
  Escape: () => { chosen = null; draw(); },
};

document.addEventListener("keydown", (event) => {
  const isButton = event.target.closest("button") && ["Enter", " "].includes(event.key);
  if (isButton || event.altKey || event.metaKey) return;
  if (event.ctrlKey) {
    if (event.key !== "z") return;
    event.preventDefault();
    undo();
  } else if (event.key in ARROWS && chosen !== null) {
    event.preventDefault();
    const step = event.shiftKey ? 10 : 1;
    nudge(...ARROWS[event.key].map((part) => part * step));
  } else if (/^[1-5]$/.test(event.key)) {
    chosen = Number(event.key) - 1;
    draw(stage.getAttribute("viewBox").split(" ").map(Number));
  } else if (event.key in ACTS) {
    event.preventDefault();
    ACTS[event.key]();
  }
});
for (const [id, key] of [["right", "Enter"], ["no-face", "x"], ["left-out", "d"], ["undo", "u"], ["next", "n"], ["previous", "p"], ["whole", "w"]]) {
  byId(id).addEventListener("click", () => ACTS[key]());
}

const start = await ask("/api/faces");
const table = start.table;
faces = start.faces;
await open(0);
document.body.dataset.ready = "yes";
