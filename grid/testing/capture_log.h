// CaptureLog: a LogSink that keeps every line, so that a test can say what was logged and how
// often.
//
// Thread-safe, as every sink.
//
//   auto log = std::make_shared<testing::CaptureLog>(clock);
//   EXPECT_EQ(log->Count("wrong token"), 1);
#ifndef GRID_GRID_TESTING_CAPTURE_LOG_H_
#define GRID_GRID_TESTING_CAPTURE_LOG_H_

#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "grid/base/clock.h"
#include "grid/base/log.h"

namespace grid::testing {

struct LogLine {
  TimePoint time;
  LogLevel level;
  std::string text;
};

class CaptureLog final : public LogSink {
 public:
  // `least`: lines below it are dropped.
  explicit CaptureLog(std::shared_ptr<Clock> clock, LogLevel least = LogLevel::kDebug);

  void Log(LogLevel level, std::string_view message) override;

  // Lines of at least `level` that contain `part`.
  size_t Count(std::string_view part, LogLevel level = LogLevel::kDebug) const;
  std::vector<LogLine> lines() const;
  // All of them, one to a line, with seconds since the first.
  std::string Text() const;
  void Clear();

 private:
  const std::shared_ptr<Clock> clock_;
  const LogLevel least_;
  mutable std::mutex mutex_;
  std::vector<LogLine> lines_;  // guarded by mutex_
};

}  // namespace grid::testing

#endif  // GRID_GRID_TESTING_CAPTURE_LOG_H_
