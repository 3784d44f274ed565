# Turns the lines of the benchmarks into a table. Each measurement stands beside the raw limit it belongs to.
BEGIN {
  raw["queue/append"] = "queue/raw-insert"
  raw["queue/drain"] = "queue/raw-drain"
  raw["upload/packhorse"] = "upload/raw-curl"
  raw["ingest/packhorse"] = "ingest/raw-subscriber"
  raw["bridge/full"] = "ingest/raw-subscriber"
}
function value(key,    i) {
  for (i = 1; i <= NF; ++i) {
    if (index($i, key "=") == 1) return substr($i, length(key) + 2)
  }
  return ""
}
/^name=/ {
  name = value("name")
  order[++count] = name
  rate[name] = value("per_second"); cpu[name] = value("cpu_us"); written[name] = value("written")
  rss[name] = value("rss_kib"); messages[name] = value("messages")
}
/^instructions=/ { instructions[value("instructions")] = value("per_message") }
function number(text) { return text == "" ? "-" : text }
function ratio(a, b) { return b == "" || b + 0 == 0 ? "-" : sprintf("%.2f", a / b) }
END {
  print "# Benchmark report\n"
  print date "; " machine ". One run each; generator, broker, bridge and cloud share the processors.\n"
  print "| what | messages | messages/s | of the raw limit | CPU us/message | instructions/message | bytes written/message | peak RSS, MiB |"
  print "|---|---|---|---|---|---|---|---|"
  for (i = 1; i <= count; ++i) {
    name = order[i]
    of = name in raw ? ratio(rate[name], rate[raw[name]]) " x " raw[name] : "-"
    printf "| %s | %s | %s | %s | %s | %s | %s | %.1f |\n", name, messages[name], rate[name], of, cpu[name],
           number(instructions[name]), written[name], rss[name] / 1024
  }
}
