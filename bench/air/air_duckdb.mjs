// The job of airq_bench in SQL on DuckDB: days, city days, months and years with means, percentiles, exceedances and AQI days.
// usage: node air_duckdb.mjs HOURS.csv CITIES [FIGURES.csv]    (npm install @duckdb/node-api; HOURS.csv: airq_bench --csv)
// Values are doubles and round_even() of them, so single figures may differ in the last digit.
import { readFileSync } from "node:fs"
import { DuckDBInstance } from "@duckdb/node-api"

const [csv, citiesText, figures] = process.argv.slice(2)
const cities = Number(citiesText)
const db = await (await DuckDBInstance.create(":memory:", { threads: "2" })).connect()
const steps = {
  so2: [50, 150, 475, 800, 1600, 2100, 2620], no2: [40, 80, 180, 280, 565, 750, 940], co: [2, 4, 14, 24, 36, 48, 60],
  o3: [100, 160, 215, 265, 800], pm10: [50, 120, 250, 350, 420, 500, 600], pm25: [35, 60, 115, 150, 250, 350, 500],
}
const index = [50, 100, 150, 200, 300, 400, 500]
const names = ["so2", "no2", "co", "pm10", "pm25", "o3"]
const limit = { so2: 150, no2: 80, co: 4, pm10: 120, pm25: 60, o3: 160 }
const annual = { so2: 60, no2: 40, co: 4, pm10: 60, pm25: 30, o3: 160 }
const places = { so2: 0, no2: 0, co: 1, pm10: 0, pm25: 1, o3: 0 }
const judged = (p, v) => `round_even(${v}, ${p === "co" ? 1 : 0})`
const percent = { so2: 0.98, no2: 0.98, co: 0.95, pm10: 0.95, pm25: 0.95, o3: 0.9 }

function iaqi(p) {
  let lo = 0, ilo = 0, sql = `CASE WHEN j_${p} IS NULL THEN NULL`
  steps[p].forEach((hi, i) => {
    sql += ` WHEN j_${p} <= ${hi} THEN ceil(round(${index[i] - ilo}.0 * (j_${p} - ${lo}) / ${hi - lo}, 9)) + ${ilo}`
    lo = hi
    ilo = index[i]
  })
  return `${sql} ELSE ${ilo} END`
}

async function timed(label, sql) {
  const from = performance.now()
  await db.run(sql)
  console.log(`${label}: ${((performance.now() - from) / 1000).toFixed(2)} s`)
  return performance.now() - from
}

const periods = (scope, unit) => `
  CREATE OR REPLACE TABLE ${scope}_${unit} AS SELECT ${scope}, date_trunc('${unit}', day) AS since,
    ${names.map((p) => `round_even(avg(${p}), ${places[p]}) AS mean_${p}, round_even(quantile_cont(${p}, ${percent[p]}), ${places[p]}) AS p_${p},
    count(*) FILTER (j_${p} > ${limit[p]}) AS exceed_${p}, count(${p}) AS n_${p}`).join(",\n")},
    count(aqi) AS valid, count(*) FILTER (aqi <= 100) AS good, count(*) FILTER (aqi > 200) AS heavy
  FROM ${scope}_day GROUP BY ALL`

const withAqi = (scope, from) => `
  CREATE OR REPLACE TABLE ${scope}_day AS
  SELECT *, CASE WHEN greatest(${names.map((p) => `i_${p}`).join(",")}) > 100 OR ${names.map((p) => `i_${p} IS NOT NULL`).join(" AND ")}
    THEN greatest(1, ${names.map((p) => `i_${p}`).join(",")}) END AS aqi
  FROM (SELECT *, ${names.map((p) => `${iaqi(p)} AS i_${p}`).join(",\n")} FROM (${from}))`

await timed("load (not counted)", `CREATE TABLE hour AS SELECT station::SMALLINT AS station, time::DATE AS day, hour(time)::TINYINT AS h,
  SO2::DOUBLE AS so2, NO2::DOUBLE AS no2, CO::DOUBLE AS co, PM10::DOUBLE AS pm10, PM25::DOUBLE AS pm25, O3::DOUBLE AS o3
  FROM read_csv('${csv}', header = true, columns = {'time': 'TIMESTAMP', 'station': 'SMALLINT', 'PM25': 'DOUBLE', 'PM10': 'DOUBLE',
  'SO2': 'DOUBLE', 'NO2': 'DOUBLE', 'CO': 'DOUBLE', 'O3': 'DOUBLE'})`)
const counts = (await (await db.run("SELECT count(*), count(DISTINCT station) FROM hour")).getRows())[0].map(Number)
let ms = 0
const mean = names.filter((p) => p !== "o3").map((p) => `CASE WHEN count(${p}) >= 20 THEN avg(${p}) END AS x_${p}`).join(",")
ms += await timed("station days", withAqi("station", `
  SELECT station, day, ${names.map((p) => `round_even(x_${p}, ${places[p]}) AS ${p}, ${judged(p, `x_${p}`)} AS j_${p}`).join(",")}
  FROM (SELECT station, day, ${mean},
    CASE WHEN count(w) >= 14 OR round_even(max(w), 0) > 160 THEN max(w) END AS x_o3
    FROM (SELECT *, CASE WHEN h >= 7 AND count(o3) OVER win >= 6 THEN avg(o3) OVER win END AS w FROM hour
      WINDOW win AS (PARTITION BY station, day ORDER BY h ROWS BETWEEN 7 PRECEDING AND CURRENT ROW))
    GROUP BY ALL)`))
// the same share-out of stations to cities as airq_bench
await db.run(`CREATE TABLE city_of AS SELECT c::INTEGER AS city, s::SMALLINT AS station FROM range(${cities}) t(c), range(${counts[1]}) u(s)
  WHERE s >= c * ${counts[1]} // ${cities} AND s < (c + 1) * ${counts[1]} // ${cities}`)
const cityMean = (p) => `CASE WHEN count(${p}) >= CASE WHEN count(*) < 4 THEN 0.5 ELSE 0.75 END * count(*) THEN avg(${p}) END AS x_${p}`
ms += await timed("city days", withAqi("city", `
  SELECT city, day, ${names.map((p) => `round_even(x_${p}, ${places[p]}) AS ${p}, ${judged(p, `x_${p}`)} AS j_${p}`).join(",")}
  FROM (SELECT city, day, ${names.map(cityMean).join(",")} FROM station_day JOIN city_of USING (station) GROUP BY ALL)`))
for (const scope of ["station", "city"])
  for (const unit of ["month", "year"]) ms += await timed(`${scope}s by ${unit}`, periods(scope, unit))
console.log(`DuckDB, 2 threads: ${counts[0]} station-hours in ${(ms / 1000).toFixed(2)} s, ${(counts[0] / ms / 1000).toFixed(2)} million/s; ` +
  `131.5 million, reckoned linearly: ${(ms / 1000 * 131.5e6 / counts[0]).toFixed(0)} s`)
if (figures) {
  const c = Object.entries(annual).map(([p, s]) => `${p === "co" || p === "o3" ? `p_${p}` : `mean_${p}`} / ${s}`).join(" + ")
  const rows = await (await db.run(`SELECT city, year(since), mean_pm25, p_o3, p_co, round_even(${c}, 2), good, valid FROM city_year ORDER BY 1, 2`)).getRows()
  const ours = readFileSync(figures, "utf8").trim().split("\n").slice(1).map((l) => l.split(",").map(Number))
  const same = rows.filter((r, i) => r.every((v, k) => Math.abs(Number(v) - ours[i][k]) < 1e-9)).length
  console.log(`annual figures of cities that are equal in all six: ${same} of ${rows.length}`)
  const off = rows.findIndex((r, i) => !r.every((v, k) => Math.abs(Number(v) - ours[i][k]) < 1e-9))
  if (off >= 0) console.log("first difference:", rows[off].map(Number).join(","), "ours:", ours[off].join(","))
}
