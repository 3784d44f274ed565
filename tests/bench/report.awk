# Turns the lines of the benchmarks into a table: what was measured, the raw limit beside it, and whether the goal is met.
# A line is "name=NAME key=value ..."; of several lines with one name the median of each value counts.
{
  name = substr($1, 6)
  for (i = 2; i <= NF; ++i) {
    split($i, pair, "=")
    key = name " " pair[1]
    all[key] = all[key] " " pair[2]
  }
}
function value(name, key,    list, n, i, j, keep) {
  n = split(all[name " " key], list, " ")
  for (i = 2; i <= n; ++i) {
    keep = list[i] + 0
    for (j = i - 1; j > 0 && list[j] + 0 > keep; --j) list[j + 1] = list[j]
    list[j + 1] = keep
  }
  return n == 0 ? "" : list[int((n + 1) / 2)]
}
function shown(number) {
  if (number == "") return "-"
  return number >= 1000 ? sprintf("%.0f", number) : sprintf("%.3g", number)
}
function section(title, limit) {
  print "\n## " title "\n"
  print "| what | measured | " limit " | ratio | goal | met |"
  print "|---|---|---|---|---|---|"
}
# `goal` is "", "<= N" or ">= N", of the ratio ("r") or of the measured value ("m").
function row(what, measured, limit, goal, of,    ratio, part, number, met) {
  ratio = limit == "" || limit + 0 == 0 || measured == "" ? "" : measured / limit
  met = "-"
  if (goal != "") {
    split(goal, part, " ")
    number = of == "r" ? ratio : measured
    if (number == "") {
      met = "not measured"
    } else {
      met = (part[1] == "<=" ? number <= part[2] + 0 : number >= part[2] + 0) ? "yes" : "no"
    }
    if (met != "yes") ++missed
    goal = (of == "r" ? "ratio " : "") goal
  }
  printf "| %s | %s | %s | %s | %s | %s |\n", what, shown(measured), shown(limit), shown(ratio), goal == "" ? "-" : goal, met
}
function against(what, name, limit, key, goal) { row(what, value(name, key), value(limit, key), goal, "r") }
function mib(name) { return value(name, "rss_kib") == "" ? "" : value(name, "rss_kib") / 1024 }
END {
  print "# Benchmark report\n"
  print date "; " machine ". Generator, broker, bridge and cloud share the processors."

  section("Broker to store, as fast as the broker sends", "a Paho subscriber that only counts")
  against("mode window, messages/s", "ingest/packhorse", "ingest/raw", "per_second", ">= 0.9")
  against("mode window, CPU us/message", "ingest/packhorse", "ingest/raw", "cpu_us", "<= 1.6")
  against("mode window, syncs 10 ms slower, messages/s", "ingest/packhorse-slow", "ingest/raw", "per_second", ">= 0.9")
  against("mode window, syncs 10 ms slower, CPU us/message", "ingest/packhorse-slow", "ingest/raw", "cpu_us", "<= 1.6")
  against("mode strict, messages/s", "ingest/packhorse-strict", "ingest/raw", "per_second", "")
  against("mode strict, syncs 10 ms slower, messages/s", "ingest/packhorse-strict-slow", "ingest/raw", "per_second", "")

  section("Whole bridge", "a Paho subscriber that only counts")
  against("5,000 messages/s, CPU us/message", "bridge/up-5000", "ingest/raw-5000", "cpu_us", "<= 1.6")
  against("5,000 messages/s, link down, CPU us/message", "bridge/down-5000-arrive", "ingest/raw-5000", "cpu_us", "")
  against("the drain afterwards, CPU us/message", "bridge/down-5000-drain", "ingest/raw-5000", "cpu_us", "")
  against("as fast as the broker sends, messages/s", "bridge/full", "ingest/raw", "per_second", "")
  row("resident memory, link up, 5,000 messages/s, MiB", mib("bridge/up-5000"), "", "<= 32", "m")
  row("resident memory, link down, 5,000 messages/s, MiB", mib("bridge/down-5000-arrive"), "", "<= 32", "m")
  row("resident memory, as fast as the broker sends, MiB", mib("bridge/full"), "", "", "m")

  section("Bytes written per message", "bytes of the payload")
  row("link up, 100 messages/s", value("bridge/up-100", "written"), value("bridge/up-100", "payload"), "<= 0.1", "r")
  row("link up, 5,000 messages/s", value("bridge/up-5000", "written"), value("bridge/up-5000", "payload"), "<= 0.1", "r")
  row("link down, 100 messages/s", value("bridge/down-100-arrive", "written"), value("bridge/down-100-arrive", "payload"),
      "<= 0.6", "r")
  row("link down, 5,000 messages/s", value("bridge/down-5000-arrive", "written"),
      value("bridge/down-5000-arrive", "payload"), "<= 0.25", "r")

  section("Queue alone", "bare SQLite, the same syncs")
  against("append, mode window, messages/s", "queue/append", "queue/raw-batches", "per_second", "")
  against("append, mode window, CPU us/message", "queue/append", "queue/raw-batches", "cpu_us", "")
  against("append, mode window, bytes written/message", "queue/append", "queue/raw-batches", "written", "")
  against("append, mode strict, messages/s", "queue/append-strict", "queue/raw-insert", "per_second", "")
  against("append, mode strict, bytes written/message", "queue/append-strict", "queue/raw-insert", "written", "")
  against("drain in batches of 500, messages/s", "queue/drain", "queue/raw-drain", "per_second", "")
  against("drain, CPU us/message", "queue/drain", "queue/raw-drain", "cpu_us", "")
  row("1,000,000 queued messages, read after a restart, messages/s", value("queue/read", "per_second"),
      value("queue/raw-drain", "per_second"), ">= 500000", "m")

  section(backlog " messages queued", "50,000 messages queued")
  row("CPU us/message to append", value("queue/backlog", "cpu_us_long"), value("queue/backlog", "cpu_us_short"), "<= 1.1",
      "r")
  row("growth of resident memory, KiB", value("queue/backlog", "growth_kib"), "", "<= 4096", "m")
  row("start, ms", value("queue/backlog", "start_ms"), "", "<= 200", "m")

  section("A backlog of 1,000,000 to a cloud that parses every record", "bare libcurl, bodies made before")
  against("gzip, messages/s", "drain/gzip", "drain/raw-gzip", "per_second", "")
  row("gzip, messages/s", value("drain/gzip", "per_second"), "", ">= 250000", "m")
  against("gzip, CPU us/message", "drain/gzip", "drain/raw-gzip", "cpu_us", "")
  against("gzip, CPU us/message of the cloud", "drain/gzip", "drain/raw-gzip", "sink_cpu_us", "")
  row("gzip, bytes on the wire/message", value("drain/gzip", "wire"), "", "", "m")
  against("zstd, messages/s", "drain/zstd", "drain/raw-zstd", "per_second", "")
  against("zstd, CPU us/message", "drain/zstd", "drain/raw-zstd", "cpu_us", "")
  row("zstd, bytes on the wire/message", value("drain/zstd", "wire"), "", "<= 60", "m")
  row("records out of order", value("drain/gzip", "misplaced") + value("drain/zstd", "misplaced"), "", "<= 0", "m")
  row("after 90 s away at 2,000 messages/s: ms until its return is noticed", value("drain/outage", "noticed_ms"), "",
      "<= 5500", "m")
  row("ms from then until it has the last record", value("drain/outage", "drained_ms"), "", "<= 1000", "m")

  section("Upload to the reference cloud", "bare libcurl, the same bytes")
  against("batches of 500, records/s", "upload/packhorse", "upload/raw", "per_second", "")
  against("batches of 500, CPU us/record", "upload/packhorse", "upload/raw", "cpu_us", "")
  row("gzip of the batches, CPU us/record", value("upload/gzip", "cpu_us"), "", "", "m")

  section("Instructions per message", "raw limit")
  against("broker to store, mode window", "ingest/packhorse", "ingest/raw", "instructions", "")
  against("append, mode window", "queue/append", "queue/raw-batches", "instructions", "")
  against("append, mode strict", "queue/append-strict", "queue/raw-insert", "instructions", "")
  against("drain", "queue/drain", "queue/raw-drain", "instructions", "")
  row("decode", value("drain/decode", "instructions"), "", "", "m")
  row("render", value("drain/render", "instructions"), "", "<= 8000", "m")
  row("zstd of the batches", value("drain/code-zstd", "instructions"), "", "<= 8000", "m")
  row("gzip of the batches", value("drain/code-gzip", "instructions"), "", "", "m")
  row("queue to socket, zstd", value("drain/zstd", "instructions"), "", "<= 30000", "m")
  row("queue to socket, gzip", value("drain/gzip", "instructions"), "", "", "m")
  against("upload", "upload/packhorse", "upload/raw", "instructions", "")
  row("gzip", value("upload/gzip", "instructions"), "", "", "m")

  print "\n" (missed == 0 ? "Every goal is met." : missed " goals are not met.")
}
