import { SegmentedControl, Select, TextInput } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { Link, useSearchParams } from "wouter";
import { Loading } from "../app/Loading";
import { Notice } from "../app/Notice";
import { useTitle } from "../app/title";
import { getRunSource, getSource, listSources, type Problem, type Source } from "../client/api";
import { count } from "../client/numbers";
import { useMayOperate } from "../hooks/useSession";
import { Pages } from "../runs/Pages";
import { CLASSES, isSplit, labelAt, PAGE, pageOf, placesOf, type Shown, SPLITS } from "./sources";
import { Thumbnail } from "./Thumbnail";
import "../charts/charts.css";
import "./data.css";

/** What models are trained on: the sources of this server's data roots, their counts and their images. */
export default function DataScreen() {
  useTitle("Data", { back: "/" });
  return (
    <section className="data-page">
      <h1 className="t-h1">Data</h1>
      {useMayOperate() ? (
        <Sources />
      ) : (
        <p className="text2">
          Images of patients are shown to an operator's token only. <Link href="/">All runs</Link>
        </p>
      )}
    </section>
  );
}

function Sources() {
  const [params, setParams] = useSearchParams();
  const run = params.get("run");
  const named = params.get("source");
  const [other, setOther] = useState("");
  const listed = useQuery({ queryKey: ["sources"], queryFn: ({ signal }) => listSources(signal) });
  const ofRun = useQuery({
    queryKey: ["source of run", run],
    queryFn: ({ signal }) => getRunSource(run ?? "", signal),
    enabled: run !== null,
    retry: false,
  });
  const first = listed.data?.sources.find((each) => each.kind !== "phantoms") ?? listed.data?.sources[0];
  const path = run === null ? (named ?? first?.source_path ?? null) : null;
  const asked = useQuery({
    queryKey: ["source", path],
    queryFn: ({ signal }) => getSource(path ?? "", signal),
    enabled: path !== null,
    retry: false,
  });
  const source = run === null ? asked.data : ofRun.data?.source;
  const problem = (run === null ? (asked.error ?? listed.error) : ofRun.error) as Problem | null;
  const choose = (chosen: string | null) => setParams(chosen ? { source: chosen } : {});
  const choices = (listed.data?.sources ?? []).map((each) => ({
    value: each.source_path,
    label: each.kind === "phantoms" ? "phantoms, not X-rays" : `${each.name} (${each.kind})`,
  }));
  const shown = source?.source_path ?? null;
  if (shown !== null && !choices.some((each) => each.value === shown))
    choices.push({ value: shown, label: source?.name ?? shown });
  return (
    <>
      <div className="data-choice">
        <Select
          label="Source"
          data={choices}
          value={shown}
          onChange={choose}
          allowDeselect={false}
          searchable
          comboboxProps={{ transitionProps: { duration: 0 } }}
        />
        <form
          onSubmit={(event: FormEvent) => {
            event.preventDefault();
            if (other.trim()) choose(other.trim());
          }}
        >
          <TextInput
            label="Or by its path"
            placeholder="below a data root, then Enter"
            value={other}
            onChange={(event) => setOther(event.currentTarget.value)}
          />
        </form>
      </div>
      {listed.data?.more && (
        <p className="text3 t-note">Only the first are listed; others open by their path.</p>
      )}
      {problem ? (
        <Notice title={problem.title}>{problem.detail}</Notice>
      ) : source ? (
        <>
          {ofRun.data && run !== null && <OfRun run={run} same={ofRun.data.same} />}
          <Facts source={source} />
          <Grid source={source} />
        </>
      ) : (
        <Loading />
      )}
    </>
  );
}

function OfRun({ run, same }: { run: string; same: boolean | null }) {
  const words =
    same === null
      ? "Its files were not compared one by one with what the run saw."
      : same
        ? "Its images and labels are the ones the run saw."
        : "It has changed since: these are not the images the run saw.";
  return (
    <p className={same === false ? "data-changed" : "text2"}>
      What run <Link href={`/runs/${encodeURIComponent(run)}`}>{run}</Link> was trained on. {words}
    </p>
  );
}

function Facts({ source }: { source: Source }) {
  return (
    <div className="card data-facts">
      <div className="chart-head">
        <h2>{source.name}</h2>
        {source.phantom && <span className="about">phantoms, not X-rays</span>}
      </div>
      <table>
        <thead>
          <tr>
            <th scope="col">split</th>
            <th scope="col">normal</th>
            <th scope="col">pneumonia</th>
            <th scope="col">images</th>
          </tr>
        </thead>
        <tbody>
          {SPLITS.map((split) => {
            const { normal = 0, pneumonia = 0 } = source.counts[split] ?? {};
            return (
              <tr key={split}>
                <th scope="row">{split}</th>
                <td>{count(normal)}</td>
                <td>{count(pneumonia)}</td>
                <td>{count(normal + pneumonia)}</td>
              </tr>
            );
          })}
        </tbody>
      </table>
      {source.notes.map((note) => (
        <p key={note} className="text3 t-note">
          {note}
        </p>
      ))}
    </div>
  );
}

function Grid({ source }: { source: Source }) {
  const [params, setParams] = useSearchParams();
  const asked = params.get("split");
  const split = isSplit(asked) ? asked : "train";
  const shown: Shown = CLASSES.find((each) => each === params.get("class")) ?? "all";
  const all = placesOf(source, split, shown);
  const { places, page, pages } = pageOf(all, Number(params.get("page") ?? 1));
  const set = (key: string, value: string) =>
    setParams((before) => {
      const next = new URLSearchParams(before);
      next.set(key, value);
      if (key !== "page") next.delete("page");
      return next;
    });
  const from = (page - 1) * PAGE;
  return (
    <div className="card data-grid">
      <div className="chart-head">
        <h2>Images</h2>
        <span className="about">
          {all.length === 0
            ? "none"
            : `${count(from + 1)} to ${count(from + places.length)} of ${count(all.length)}`}
        </span>
        <span className="tools">
          <SegmentedControl
            size="xs"
            aria-label="Split"
            value={split}
            onChange={(value) => set("split", value)}
            data={[...SPLITS]}
          />
          <SegmentedControl
            size="xs"
            aria-label="Class"
            value={shown}
            onChange={(value) => set("class", value)}
            data={[...CLASSES]}
          />
        </span>
      </div>
      <ul className="thumbnails">
        {places.map((place) => (
          <Thumbnail
            key={`${source.source_path} ${split} ${place}`}
            source={source}
            split={split}
            place={place}
            label={labelAt(source, split, place)}
          />
        ))}
      </ul>
      {pages > 1 && (
        <Pages
          page={page}
          limit={PAGE}
          shown={places.length}
          total={all.length}
          go={(to) => set("page", String(to))}
        />
      )}
    </div>
  );
}
