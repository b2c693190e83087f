#include "bench/common/report.h"

#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace grid::bench {
namespace {

// By hand, because Boost.JSON writes every fraction with an exponent.
std::string Number(const std::optional<double>& value, int digits) {
  return value ? absl::StrFormat("%.*f", digits, *value) : "null";
}

}  // namespace

std::string_view ModeName(Mode mode) {
  switch (mode) {
    case Mode::kEcho:
      return "echo";
    case Mode::kOneWay:
      return "oneway";
    case Mode::kTwoWay:
      return "twoway";
  }
  return "";
}

std::string FormatReport(std::string_view system, const Workload& workload, const Tally& tally,
                         const CpuMeter::Used& cpu, std::string_view more) {
  const double seconds = std::chrono::duration<double>(workload.duration).count();
  const double rps = static_cast<double>(tally.requests) / seconds;
  const auto micros = [&](std::chrono::nanoseconds ns) {
    const bool known = tally.latency.count() > 0;
    return Number(known ? std::optional(static_cast<double>(ns.count()) / 1e3) : std::nullopt, 1);
  };
  const tools::LatencyHistogram& latency = tally.latency;
  const auto rate = workload.rate > 0 ? std::optional(workload.rate) : std::nullopt;
  return absl::StrCat(
      "{\"system\":\"", std::string(system), "\"", std::string(more), ",\"mode\":\"",
      std::string(ModeName(workload.mode)), "\",\"size\":", workload.size,
      ",\"inflight\":", workload.inflight, ",\"rate\":", Number(rate, 1),
      ",\"requests\":", tally.requests, ",\"seconds\":", Number(seconds, 3),
      ",\"rps\":", Number(rps, 1), ",\"p50_us\":", micros(latency.Percentile(50)),
      ",\"p90_us\":", micros(latency.Percentile(90)),
      ",\"p99_us\":", micros(latency.Percentile(99)),
      ",\"p999_us\":", micros(latency.Percentile(99.9)), ",\"max_us\":", micros(latency.max()),
      ",\"errors\":", tally.errors,
      ",\"bytes_per_s\":", Number(rps * static_cast<double>(workload.bytes_per_message()), 0),
      ",\"client_cpu_s\":", Number(cpu.client, 3), ",\"server_cpu_s\":", Number(cpu.server, 3),
      "}\n");
}

}  // namespace grid::bench
