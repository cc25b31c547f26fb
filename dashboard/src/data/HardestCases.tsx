import { useQuery } from "@tanstack/react-query";
import { Link } from "wouter";
import { getRunSource, type Problem } from "../client/api";
import type { RunModel } from "../client/model";
import { count } from "../client/numbers";
import { useMayOperate } from "../hooks/useSession";
import { labelAt, verdict } from "./sources";
import { Thumbnail } from "./Thumbnail";
import "../charts/charts.css";
import "./data.css";

/** The test images that were judged most wrongly. The run tells their places; the images are an operator's to see. */
export default function HardestCases({ model }: { model: RunModel }) {
  const operates = useMayOperate();
  const places = model.testCurves?.hardest ?? [];
  const confusion = model.testCurves?.confusion;
  const errors = confusion ? confusion.falseNegative + confusion.falsePositive : null;
  const { data, error, isPending } = useQuery({
    queryKey: ["source of run", model.runId],
    queryFn: ({ signal }) => getRunSource(model.runId, signal),
    enabled: operates,
    retry: false,
  });
  const listed = places.join(", ");
  return (
    <section className="card hardest" aria-label="Hardest cases">
      <div className="chart-head">
        <h2>Hardest cases</h2>
        <span className="about">
          test, the {count(places.length)} judged most wrongly, by their place in the split
          {errors === null ? "" : `; ${count(errors)} were judged wrongly in all`}
        </span>
        {operates && (
          <span className="tools">
            <Link className="link t-note" href={`/data?run=${encodeURIComponent(model.runId)}&split=test`}>
              all images
            </Link>
          </span>
        )}
      </div>
      {!operates ? (
        <Told places={listed} why="An operator's token shows the images." />
      ) : data?.same === false ? (
        <Told places={listed} why="The source has changed since; other images lie in these places now." />
      ) : data ? (
        <ul className="thumbnails">
          {places.map((place, rank) => {
            const label = labelAt(data.source, "test", place);
            return (
              <Thumbnail
                key={place}
                source={data.source}
                split="test"
                place={place}
                label={label}
                words={verdict(rank, errors, label)}
              />
            );
          })}
        </ul>
      ) : (
        <Told
          places={listed}
          why={isPending ? "" : [(error as Problem).title, (error as Problem).detail].join(" ")}
        />
      )}
    </section>
  );
}

function Told({ places, why }: { places: string; why: string }) {
  return (
    <p className="t-note text2">
      {places}. <span className="text3">{why}</span>
    </p>
  );
}
