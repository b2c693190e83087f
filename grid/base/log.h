// LogSink: where the library's log lines go. One per manager; called from any thread.
#ifndef GRID_GRID_BASE_LOG_H_
#define GRID_GRID_BASE_LOG_H_

#include <memory>
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

// Writes warnings and errors to standard error; the default.
std::shared_ptr<LogSink> StderrLog(LogLevel least = LogLevel::kWarning);
// Drops everything.
std::shared_ptr<LogSink> NullLog();

}  // namespace grid

#endif  // GRID_GRID_BASE_LOG_H_
