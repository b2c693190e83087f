// FormatReport: a run as the one line of JSON that every program prints.
#ifndef GRID_BENCH_COMMON_REPORT_H_
#define GRID_BENCH_COMMON_REPORT_H_

#include <string>
#include <string_view>

#include "bench/common/cpu_meter.h"
#include "bench/common/load.h"
#include "bench/common/workload.h"

namespace grid::bench {

std::string_view ModeName(Mode mode);

// Ends with a newline. What is not known is null: latencies of a one-way run, the rate of a closed
// loop. `more` goes behind the system's name, as ",\"managers\":4".
std::string FormatReport(std::string_view system, const Workload& workload, const Tally& tally,
                         const CpuMeter::Used& cpu, std::string_view more = "");

}  // namespace grid::bench

#endif  // GRID_BENCH_COMMON_REPORT_H_
