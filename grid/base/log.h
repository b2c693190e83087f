// LogSink: where the library's log lines go. One per manager; called from any thread.
//
// The default, and what the programs use, is spdlog, to standard error. A host program that has a
// log of its own implements the one function:
//
//   class HostLog final : public grid::LogSink {
//     void Log(grid::LogLevel level, std::string_view message) override { ... }
//   };
#ifndef GRID_GRID_BASE_LOG_H_
#define GRID_GRID_BASE_LOG_H_

#include <memory>
#include <string>
#include <string_view>

namespace grid {

enum class LogLevel { kDebug, kInfo, kWarning, kError };

class LogSink {
 public:
  virtual ~LogSink() = default;
  // `message` is one line without a newline, valid during the call. Must not block for long, and
  // must not call back into the library.
  virtual void Log(LogLevel level, std::string_view message) = 0;
};

// A logger of spdlog's that writes what is at least `least` to standard error, with date, time and
// level; `name` names the lines. Not registered with spdlog, and independent of its settings.
std::shared_ptr<LogSink> SpdlogLog(const std::string& name, LogLevel least);
// SpdlogLog for warnings and errors, named "grid": where nothing else was asked for.
std::shared_ptr<LogSink> DefaultLog();
// Drops everything.
std::shared_ptr<LogSink> NullLog();

}  // namespace grid

#endif  // GRID_GRID_BASE_LOG_H_
