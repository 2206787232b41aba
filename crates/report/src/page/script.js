//<![CDATA[
(() => {
  "use strict";
  const each = (selector, act) => document.querySelectorAll(selector).forEach(act);

  // Light or dark: what was chosen here before, else what the system says.
  const dark = document.getElementById("dark");
  const theme = document.getElementById("theme");
  const system = matchMedia("(prefers-color-scheme: dark)");
  const stored = (value) => {
    try {
      if (value) localStorage.setItem("warploom-theme", value);
      return localStorage.getItem("warploom-theme");
    } catch {
      return value;
    }
  };
  let chosen = stored();
  const isDark = () => (chosen ? chosen === "dark" : system.matches);
  const show = () => {
    dark.media = isDark() ? "screen" : "not all";
    theme.textContent = isDark() ? "Light" : "Dark";
  };
  theme.hidden = false;
  theme.onclick = () => {
    chosen = isDark() ? "light" : "dark";
    stored(chosen);
    show();
  };
  system.addEventListener("change", show);
  show();

  each(".copy", (button) => {
    const code = button.previousElementSibling;
    button.hidden = false;
    button.onclick = () => {
      const range = document.createRange();
      range.selectNodeContents(code);
      getSelection().removeAllRanges();
      getSelection().addRange(range);
      const copied = navigator.clipboard ? navigator.clipboard.writeText(code.textContent) : Promise.reject();
      copied.catch(() => document.execCommand("copy")).then(() => {
        button.textContent = "Copied";
        setTimeout(() => (button.textContent = "Copy"), 1500);
      });
    };
  });

  // What is folded is printed too.
  addEventListener("beforeprint", () => each("details", (part) => (part.open = true)));

  // The values of the epoch under the pointer.
  const number = (value, unit, share) => {
    if (!Number.isFinite(value)) return String(value).replace("Infinity", "∞");
    if (share) return (value * 100).toFixed(2) + "\u00a0%";
    const size = Math.abs(value);
    const small = size > 0 && 1e-4 > size;
    const digits = { maximumSignificantDigits: Math.max(4, Math.ceil(Math.log10(size + 1))) };
    const text = small ? size.toExponential(2) : size.toLocaleString("en", digits);
    const named = ["$", "€", "£", "¥"].includes(unit) ? unit + text : unit ? text + "\u00a0" + unit : text;
    return (Math.sign(value) === -1 ? "−" : "") + named;
  };
  each(".curve", (figure) => {
    const { epochs, unit } = figure.dataset;
    const share = figure.classList.contains("share");
    const readout = figure.querySelector(".readout");
    const initial = readout.innerHTML;
    const plot = figure.querySelector(".plot");
    const series = ["training", "validation"].filter((name) => name in figure.dataset).map((name) => {
      const values = figure.dataset[name].split(" ").map(Number);
      const at = figure.dataset[name + "At"];
      return { name, values, at: at ? at.split(" ").map(Number) : values.map((_, i) => i + 1) };
    });
    const cursor = document.createElementNS("http://www.w3.org/2000/svg", "line");
    cursor.setAttribute("class", "cursor");
    cursor.setAttribute("y2", "100%");
    const nearest = (at, epoch) => at.reduce((best, value, i) => (Math.abs(at[best] - epoch) > Math.abs(value - epoch) ? i : best), 0);
    plot.parentElement.addEventListener("pointermove", (event) => {
      const box = plot.getBoundingClientRect();
      const across = Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
      const first = series[0];
      const epoch = first.at[nearest(first.at, 1 + across * (epochs - 1))];
      const x = epochs > 1 ? (100 * (epoch - 1)) / (epochs - 1) : 50;
      cursor.setAttribute("x1", x + "%");
      cursor.setAttribute("x2", x + "%");
      plot.append(cursor);
      readout.querySelector(".at").textContent = "epoch " + epoch.toLocaleString("en");
      for (const { name, values, at } of series) {
        const i = nearest(at, epoch);
        const known = epoch > at[at.length - 1] ? "–" : number(values[i], unit, share);
        readout.querySelector("." + name + " b").textContent = known;
      }
    });
    plot.parentElement.addEventListener("pointerleave", () => {
      cursor.remove();
      readout.innerHTML = initial;
    });
  });

  // The cell of a large confusion matrix under the pointer.
  each(".map", (map) => {
    const readout = map.parentElement.querySelector(".readout");
    const names = map.dataset.names.split("\n");
    const counts = new Map(map.dataset.counts.split(",").map((cell) => {
      const [row, column, count] = cell.split(" ");
      return [row + " " + column, count];
    }));
    const empty = () => (readout.textContent = readout.dataset.empty);
    map.addEventListener("pointermove", (event) => {
      const box = map.getBoundingClientRect();
      const index = (place, size) => Math.min(names.length - 1, Math.max(0, Math.floor((place / size) * names.length)));
      const row = index(event.clientY - box.top, box.height);
      const column = index(event.clientX - box.left, box.width);
      const count = counts.get(row + " " + column) || "0";
      readout.textContent = "true " + names[row] + ", predicted " + names[column] + ": " + count;
    });
    map.addEventListener("pointerleave", empty);
    empty();
  });

  // Tables are sorted by the column that is clicked.
  const key = (text) => {
    const value = parseFloat(text.replace(/[,\s]/g, "").replace("−", "-").replace("∞", "Infinity"));
    return Number.isNaN(value) ? null : value;
  };
  each(".sortable", (table) => {
    const heads = [...table.tHead.rows[0].cells];
    const body = table.tBodies[0];
    heads.forEach((head, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = head.textContent;
      head.replaceChildren(button);
      button.onclick = () => {
        const up = head.getAttribute("aria-sort") !== "ascending";
        const numeric = head.classList.contains("number");
        heads.forEach((other) => other.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", up ? "ascending" : "descending");
        const rows = [...body.rows].map((row) => {
          const text = row.cells[column].textContent;
          return { row, text, value: numeric ? key(text) : null };
        });
        const order = (a, b) => {
          if (a.value !== null || b.value !== null) {
            // What is no number comes last either way.
            if (a.value === null) return 1;
            if (b.value === null) return -1;
            return up ? a.value - b.value : b.value - a.value;
          }
          const named = a.text.localeCompare(b.text, "en", { numeric: true });
          return up ? named : -named;
        };
        body.append(...rows.sort(order).map(({ row }) => row));
      };
    });
  });
})();
//]]>
