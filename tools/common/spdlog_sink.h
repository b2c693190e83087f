// The library's log lines through spdlog, to standard error.
#ifndef GRID_TOOLS_COMMON_SPDLOG_SINK_H_
#define GRID_TOOLS_COMMON_SPDLOG_SINK_H_

#include <memory>

#include "grid/base/log.h"

namespace grid::tools {

// Writes what is at least `least`, with date, time and level, from any thread. `program` names the
// lines.
std::shared_ptr<LogSink> MakeSpdlogSink(const char* program, LogLevel least);

}  // namespace grid::tools

#endif  // GRID_TOOLS_COMMON_SPDLOG_SINK_H_
