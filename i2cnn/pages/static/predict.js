import { ask, byId, el, svg } from "./dom.js";

const waiting = [];
const answers = [];
let model = null;
let busy = false;
let stream = null;
let shots = 0;

// Pictures, one after the other

function add(pictures) {
  for (const { blob, name } of pictures) waiting.push({ blob, name, entry: placeholder(name) });
  work();
}

function placeholder(name) {
  const entry = el("article", { class: "result" }, el("h2", {}, name), el("p", { class: "quiet" }, "waiting ..."));
  byId("results").prepend(entry);
  byId("clear").disabled = false;
  return entry;
}

async function work() {
  if (busy) return;
  busy = true;
  while (waiting.length) {
    byId("status").textContent = `${waiting.length} to do`;
    const { blob, name, entry } = waiting.shift();
    try {
      const answer = await ask(`/api/predict?explain=true&file=${encodeURIComponent(name)}`, {
        method: "POST",
        headers: { "Content-Type": blob.type.startsWith("image/") ? blob.type : "application/octet-stream" },
        body: blob,
      });
      if (!entry.isConnected) continue; // cleared meanwhile
      answers.push(answer);
      show(entry, answer, blob);
      byId("csv").disabled = false;
    } catch (error) {
      entry.replaceChildren(el("h2", {}, name), el("p", { class: "warn" }, error.message));
    }
  }
  busy = false;
  byId("status").textContent = "done";
}

// One picture's answer

function show(entry, answer, blob) {
  const overlay = svg("svg", { viewBox: `-0.5 -0.5 ${answer.width} ${answer.height}`, preserveAspectRatio: "none", "aria-hidden": "true" });
  const url = URL.createObjectURL(blob);
  const image = el("img", { alt: `${answer.file}, ${answer.faces.length} faces`, src: url });
  const inner = el("div", { class: "inner" }, image, overlay);
  inner.style.setProperty("--ratio", answer.width / answer.height);
  image.addEventListener("load", () => URL.revokeObjectURL(url));
  image.addEventListener("error", () => inner.replaceChildren(el("span", {}, "This browser cannot show the picture.")));
  draw(overlay, answer, null);
  entry.replaceChildren(
    el("h2", {}, answer.file),
    ...answer.warnings.map((text) => el("p", { class: "warn" }, text)),
    el("div", { class: "pair" },
      el("div", { class: "picture" }, inner),
      el("div", {}, ...answer.faces.map((face) => card(face, overlay, answer)), ...meaning(answer.faces))),
  );
}

function meaning(faces) {
  if (!faces.length) return [];
  const text = faces.every((face) => face.calibrated) ? "Scores are probabilities, for faces like those it was made with." : "Scores are not calibrated: they are no probabilities.";
  return [el("p", { class: "quiet" }, text)];
}

function draw(overlay, answer, explained) {
  const unit = Math.min(answer.width, answer.height) / 100;
  const shapes = explained ? heat(explained) : [];
  for (const face of answer.faces) {
    const [x, y, width, height] = face.box;
    shapes.push(svg("rect", { class: "box", x, y, width, height }));
    for (const [cx, cy] of face.points) shapes.push(svg("circle", { class: "dot", cx, cy, r: Math.max(width / 60, unit / 3) }));
    const size = Math.max(4 * unit, width / 8);
    const number = svg("text", { class: "number", x: x + size / 4, y: y + size, "font-size": size, "stroke-width": size / 8 }, String(face.face));
    shapes.push(number);
  }
  overlay.replaceChildren(...shapes);
}

function heat(face) {
  const [x, y, width, height] = face.explanation.heat.box;
  return [svg("image", { class: "heat", x, y, width, height, preserveAspectRatio: "none", href: `data:image/png;base64,${face.explanation.heat.png}` })];
}

function card(face, overlay, answer) {
  const rows = Object.entries(face.scores).map(([label, score]) =>
    el("tr", { class: label === face.label ? "best" : null },
      el("th", { scope: "row" }, label),
      el("td", {}, el("meter", { min: 0, max: 1, value: score, "aria-label": label })),
      el("td", {}, score.toFixed(2))));
  const why = el("div", { hidden: "" }, ...reasons(face));
  const button = el("button", { class: "plain", type: "button", "aria-pressed": "false", onclick: () => {
    const on = why.hidden;
    for (const other of button.closest(".pair").querySelectorAll("[aria-pressed=true]")) if (other !== button) other.click();
    why.hidden = !on;
    button.setAttribute("aria-pressed", String(on));
    draw(overlay, answer, on ? face : null);
  } }, "Which patches decided");
  return el("section", { class: "face" },
    el("h3", {}, `Face ${face.face}: ${face.label}`),
    ...face.warnings.map((text) => el("p", { class: "warn" }, text)),
    el("table", { class: "scores" }, el("tbody", {}, ...rows)),
    button, why);
}

function reasons(face) {
  const ordered = [...face.explanation.patches].sort((a, b) => b.vote - a.vote);
  const named = (patches) => patches.map((patch) => `${patch.name.replaceAll("_", " ")} (${patch.vote >= 0 ? "+" : ""}${patch.vote.toFixed(2)})`).join(", ");
  const spokeFor = ordered.filter((patch) => patch.vote > 0).slice(0, 3);
  const against = ordered.filter((patch) => patch.vote < 0).slice(-3).reverse();
  return [
    el("p", {}, `For ${face.label} (blue): ${named(spokeFor) || "none"}.`),
    el("p", {}, `Against it (red): ${named(against) || "none"}.`),
    el("p", { class: "quiet" }, "Votes are shares of the SVM's decisions; names are region and scale."),
  ];
}

// Tables

const POINTS = ["left_eye", "right_eye", "nose", "left_mouth", "right_mouth"];

function csv() {
  const header = ["file", "face", "box_x", "box_y", "box_width", "box_height", ...POINTS.flatMap((name) => [`${name}_x`, `${name}_y`]), "found", "label", ...model.labels.map((label) => `score_${label}`), "warnings"];
  const lines = [header];
  for (const answer of answers) {
    for (const face of answer.faces) {
      lines.push([answer.file, face.face, ...[...face.box, ...face.points.flat()].map((v) => v.toFixed(2)), face.found, face.label, ...model.labels.map((label) => face.scores[label].toFixed(4)), face.warnings.join("; ")]);
    }
    if (!answer.faces.length) lines.push([answer.file, ...header.slice(2).map(() => ""), answer.warnings.join("; ")]);
  }
  return lines.map((cells) => cells.map(quoted).join(",")).join("\n") + "\n";
}

function quoted(cell) {
  const text = String(cell);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function download() {
  const url = URL.createObjectURL(new Blob([csv()], { type: "text/csv" }));
  const link = el("a", { href: url, download: "expressions.csv" });
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
}

// The camera

async function openCamera() {
  let opened;
  try {
    opened = await navigator.mediaDevices.getUserMedia({ video: { width: { ideal: 1280 } } });
  } catch (error) {
    byId("status").textContent = `no camera: ${error.message}`;
    return;
  }
  closeCamera();
  stream = opened;
  byId("video").srcObject = stream;
  byId("viewfinder").hidden = false;
}

function shoot() {
  const video = byId("video");
  const canvas = el("canvas", { width: video.videoWidth, height: video.videoHeight });
  canvas.getContext("2d").drawImage(video, 0, 0);
  shots += 1;
  const name = `camera_${shots}.jpg`;
  canvas.toBlob((blob) => blob && add([{ blob, name }]), "image/jpeg", 0.95);
}

function closeCamera() {
  for (const track of stream ? stream.getTracks() : []) track.stop();
  stream = null;
  byId("viewfinder").hidden = true;
}

// What people do

function named(files) {
  return [...files].map((file) => ({ blob: file, name: file.name || "pasted.png" }));
}

function clear() {
  waiting.length = 0;
  answers.length = 0;
  byId("results").replaceChildren();
  for (const id of ["csv", "clear"]) byId(id).disabled = true;
  byId("status").textContent = "";
}

const drop = byId("drop");
for (const kind of ["dragover", "drop", "dragleave"]) {
  document.addEventListener(kind, (event) => {
    event.preventDefault();
    drop.classList.toggle("over", kind === "dragover");
    if (kind === "drop") add(named(event.dataTransfer.files));
  });
}
document.addEventListener("paste", (event) => add(named(event.clipboardData.files)));
byId("files").addEventListener("change", (event) => {
  add(named(event.target.files));
  event.target.value = "";
});
byId("camera").addEventListener("click", openCamera);
byId("shoot").addEventListener("click", shoot);
byId("close").addEventListener("click", closeCamera);
byId("csv").addEventListener("click", download);
byId("clear").addEventListener("click", clear);

model = await ask("/api/model");
byId("line").textContent = `${model.name}: ${model.line}`;
byId("warning").textContent = model.warning;
document.body.dataset.ready = "yes";
