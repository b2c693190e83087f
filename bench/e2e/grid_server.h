// The serving side of bench_grid: handlers that return what they get, or send on end.
#ifndef GRID_BENCH_E2E_GRID_SERVER_H_
#define GRID_BENCH_E2E_GRID_SERVER_H_

#include "absl/status/status.h"
#include "handlers/registrar.h"

namespace grid::bench {

absl::Status RegisterBenchHandlers(Registrar& registrar);

}  // namespace grid::bench

#endif  // GRID_BENCH_E2E_GRID_SERVER_H_
