"use strict";
{
  const root = document.documentElement;
  document.querySelector(".theme").addEventListener("click", () => {
    const now = root.style.colorScheme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
    root.style.colorScheme = now === "dark" ? "light" : "dark";
  });

  const tip = document.getElementById("tip");
  const element = (name, text, parent) => {
    const made = document.createElement(name);
    made.textContent = text;
    parent.append(made);
    return made;
  };
  const show = (event) => {
    const { offsetWidth: width, offsetHeight: height } = tip;
    const left = event.clientX + 16 + width > innerWidth ? event.clientX - 16 - width : event.clientX + 16;
    tip.style.left = Math.max(4, left) + "px";
    tip.style.top = Math.max(4, Math.min(event.clientY - height / 2, innerHeight - height - 4)) + "px";
    tip.style.visibility = "visible";
  };

  // The values at the time nearest to the pointer.
  for (const chart of document.querySelectorAll("svg[data-chart]")) {
    const data = JSON.parse(chart.dataset.chart);
    const cross = chart.querySelector(".cross");
    chart.addEventListener("pointermove", (event) => {
      const box = chart.getBoundingClientRect();
      const x = ((event.clientX - box.left) / box.width) * data.width;
      let best = 0;
      data.x.forEach((at, point) => {
        if (Math.abs(at - x) < Math.abs(data.x[best] - x)) best = point;
      });
      cross.setAttribute("x1", data.x[best]);
      cross.setAttribute("x2", data.x[best]);
      cross.style.visibility = "visible";
      tip.replaceChildren();
      element("b", data.at[best], tip);
      data.lines.forEach((line, index) => {
        const row = element("div", "", tip);
        element("i", "", row).style.background = `var(--c${index})`;
        element("b", line.values[best], row);
        if (line.name) element("span", " " + line.name, row);
      });
      show(event);
    });
    chart.addEventListener("pointerleave", () => {
      cross.style.visibility = tip.style.visibility = "hidden";
    });
  }

  // A click on a function makes it as wide as the graph.
  for (const part of document.querySelectorAll(".flames")) {
    const flame = part.querySelector(".flame");
    const foot = part.querySelector(".flame-foot");
    const back = part.querySelector("button");
    const at = (cell, name) => cell.style.getPropertyValue(name);
    const zoom = (x, w) => {
      flame.style.setProperty("--zx", x);
      flame.style.setProperty("--zw", w);
      back.hidden = w === "1";
    };
    flame.addEventListener("click", ({ target }) => {
      if (target !== flame) zoom(at(target, "--x"), at(target, "--w"));
    });
    flame.addEventListener("pointerover", ({ target }) => {
      if (target !== flame) foot.textContent = target.title;
    });
    flame.addEventListener("pointerleave", () => (foot.textContent = ""));
    back.addEventListener("click", () => zoom("0", "1"));
    part.querySelector("input").addEventListener("input", ({ target }) => {
      const sought = target.value.trim().toLowerCase();
      flame.classList.toggle("sought", sought !== "");
      for (const cell of flame.children) {
        cell.classList.toggle("hit", sought !== "" && cell.title.toLowerCase().includes(sought));
      }
    });
  }

  // A link to a line opens it.
  const open = () => {
    const row = location.hash && document.getElementById(location.hash.slice(1));
    if (row && row.localName === "details") row.open = true;
  };
  addEventListener("hashchange", open);
  open();
}
