// Processor time of this process, and of the local process that listens on a port.
#ifndef GRID_TOOLS_COMMON_PROCESS_CPU_H_
#define GRID_TOOLS_COMMON_PROCESS_CPU_H_

#include <sys/types.h>

#include <cstdint>
#include <optional>

namespace grid::tools {

// User and system time of this process so far, in seconds.
double OwnCpuSeconds();

// The same of another process; nullopt when it is gone.
std::optional<double> CpuSecondsOf(pid_t pid);

// The process on this machine that listens on TCP port `port`; nullopt when there is none, or it is
// not ours to look at.
std::optional<pid_t> FindListener(uint16_t port);

}  // namespace grid::tools

#endif  // GRID_TOOLS_COMMON_PROCESS_CPU_H_
