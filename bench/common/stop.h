// How servers end: on SIGTERM or SIGINT, with exit status 0.
#ifndef GRID_BENCH_COMMON_STOP_H_
#define GRID_BENCH_COMMON_STOP_H_

namespace grid::bench {

// For servers that have nothing to put in order: the process ends where it stands.
void ExitOnStop();

// For the others. BlockStop before any thread is started, then WaitForStop on one of them.
void BlockStop();
void WaitForStop();

}  // namespace grid::bench

#endif  // GRID_BENCH_COMMON_STOP_H_
