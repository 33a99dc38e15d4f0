"use strict";

/** Shows one trial: the answer for each pair, then the figures that it rests on. */
const trial = (() => {
  const { h } = elements;
  const number = (label) => ({ label: words.text(label), kind: "number" });
  const text = (label) => ({ label: words.text(label) });
  const name = (label) => ({ label: words.text(label), kind: "code" });

  /** Return an estimate with its interval; a dash where there is none. */
  function estimate(value, low, high, shown) {
    return low === null ? words.NONE : words.text("estimate", { value: shown(value), low: shown(low), high: shown(high) });
  }

  const percents = ({ share, low, high }) => estimate(share, low, high, (value) => words.percent(value));
  const kappas = (kappa) => estimate(kappa.estimate, kappa.low, kappa.high, (value) => words.number(value, 2));

  /** Return the sections of *report*, as compare wrote it. */
  function show(report, timezone) {
    return [
      section("verdicts", report.pairs.map((pair) => h("p", null, pair.sentence[words.language])), words.text("verdicts_lead")),
      section("contenders", table("contenders", contenderColumns(), report.contenders.map(contender)), words.text("contenders_lead")),
      section("accuracy", table("accuracy", accuracyColumns(), report.contenders.flatMap(accuracies)), words.text("accuracy_lead")),
      section("agreement", table("agreement", agreementColumns(), report.pairs.map(agreement)), words.text("agreement_lead")),
      section("sample", table("sample", [text("stratum"), number("in_table"), number("judged")], report.strata.map(stratum)), sampled(report, timezone)),
    ];
  }

  const section = (key, content, lead) =>
    h("section", { class: "section" }, h("h2", null, words.text(key)), h("div", { class: "body" }, h("div", null, h("p", { class: "lead" }, lead), content)));

  const table = (key, columns, rows) => elements.table({ caption: words.text(key), columns, rows });

  const contenderColumns = () => [
    name("contender"), ...["per_1000", "seconds_median", "seconds_p95", "invalid", "not_judged", "paid"].map(number),
  ];

  function contender(row) {
    const notJudged = Object.values(row.not_judged).reduce((sum, count) => sum + count, 0);
    return [
      row.contender, words.usdRounded(row.micro_usd_per_1000), words.number(row.seconds_median, 2),
      words.number(row.seconds_p95, 2), percents(row.answers), words.number(notJudged), words.usdRounded(row.cost_micro_usd),
    ];
  }

  const accuracyColumns = () => [name("contender"), text("language"), number("right"), number("share")];

  const accuracies = (row) =>
    row.accuracy.map((each) => [
      row.contender,
      each.language === "all" ? words.text("all_languages") : each.language,
      words.text("of_total", { count: words.number(each.right), total: words.number(each.total) }),
      percents(each),
    ]);

  const agreementColumns = () => [
    name("pair"), ...["kappa", "weighted_kappa", "only_cheaper", "only_dearer", "p"].map(number),
  ];

  function agreement({ cheaper, dearer, kappa, weighted_kappa: weighted, gold, p }) {
    return [
      words.text("two", { cheaper, dearer }),
      kappas(kappa), kappas(weighted), words.number(gold.only_cheaper), words.number(gold.only_dearer),
      p < 0.001 ? `<${words.number(0.001, 3)}` : words.number(p, 3),
    ];
  }

  const stratum = (each) => [each.stratum, words.number(each.table), words.number(each.judged)];

  function sampled(report, timezone) {
    const left = Object.values(report.left_out).reduce((sum, count) => sum + count, 0);
    return words.text("sample_lead", {
      seed: report.seed, drawn: words.number(report.drawn), left: words.number(left), time: words.moment(report.made_at, timezone),
    });
  }

  return { show };
})();
