"use strict";

/** The report page: reads what was published, and draws it in the language and with the filters of the fragment. */
const page = (() => {
  const { h } = elements;
  const SECTIONS = {
    use: sectionUse, scores: sectionScores, people: sectionPeople, when: sectionWhen, cost: sectionCost,
    certainty: sectionCertainty, custody: sectionCustody,
  };
  let data = null;
  let problem = null;

  function draw(main) {
    figure.clear();
    if (data) {
      try {
        return report(main);
      } catch (error) {
        console.error(`the report could not be drawn: ${error.message}`);
        [data, problem] = [null, "failed"];
        figure.clear();
        main.replaceChildren();
      }
    }
    main.append(h("h1", null, words.text(problem ?? "loading")));
    if (problem) main.append(h("p", { class: "lead" }, words.text(`${problem}_remedy`)));
  }

  function report(main) {
    const asked = filters.parse(frame.read(), data);
    main.append(
      opening.draw(data),
      h("div", { class: "bar" }, filterBar.links(Object.keys(SECTIONS)), filterBar.draw(data, asked)),
      ...Object.values(SECTIONS).map((section) => section.draw(data, asked)),
      footer(),
    );
    figure.drawAll();
    performance.mark("census-drawn");
  }

  const footer = () => h(
    "footer", null,
    h("p", null, words.text("run", { run_id: data.run_id })),
    h("p", null, words.text("export", { export_id: data.export_id })),
    h("p", null, words.text("generated", { time: words.moment(data.generated_at, data.timezone) })),
  );

  /** Return what was published: from inside the page, or from the server. */
  async function fetched() {
    if (frame.isFile()) return unpacked(document.getElementById("report").textContent);
    const response = await fetch("report.json", { headers: { Accept: "application/json" } });
    if (response.ok) return response.json();
    problem = { 401: "refused", 403: "refused", 404: "unpublished" }[response.status] ?? "failed";
    return null;
  }

  /** Return the report that the file holds: JSON, gzip, base64, since plain it would be most of the file. */
  function unpacked(text) {
    const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).json();
  }

  async function start() {
    frame.start({ title: "report_title", page: "report", draw });
    try {
      const report = await fetched();
      data = report && published.read(report);
    } catch (error) {
      problem = "failed";
      console.error(`report.json could not be read: ${error.message}`);
    }
    frame.redraw();
    const { section } = frame.read();
    if (data && Object.hasOwn(SECTIONS, section ?? "")) document.getElementById(section).scrollIntoView();
  }

  start();
  return {};
})();
