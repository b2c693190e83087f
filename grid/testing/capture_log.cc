#include "grid/testing/capture_log.h"

#include <utility>

#include "absl/strings/str_format.h"

namespace grid::testing {

CaptureLog::CaptureLog(std::shared_ptr<Clock> clock, LogLevel least)
    : clock_(std::move(clock)), least_(least) {}

void CaptureLog::Log(LogLevel level, std::string_view message) {
  if (level < least_) return;
  const std::lock_guard lock(mutex_);
  lines_.push_back({clock_->Now(), level, std::string(message)});
}

size_t CaptureLog::Count(std::string_view part, LogLevel level) const {
  const std::lock_guard lock(mutex_);
  size_t count = 0;
  for (const LogLine& line : lines_) {
    count += line.level >= level && line.text.find(part) != line.text.npos ? 1 : 0;
  }
  return count;
}

std::vector<LogLine> CaptureLog::lines() const {
  const std::lock_guard lock(mutex_);
  return lines_;
}

std::string CaptureLog::Text() const {
  const std::lock_guard lock(mutex_);
  std::string text;
  for (const LogLine& line : lines_) {
    const std::chrono::duration<double> since = line.time - lines_.front().time;
    absl::StrAppendFormat(&text, "%10.6f %s\n", since.count(), line.text);
  }
  return text;
}

void CaptureLog::Clear() {
  const std::lock_guard lock(mutex_);
  lines_.clear();
}

}  // namespace grid::testing
