#include "grid/base/log.h"

#include <cstdio>

namespace grid {
namespace {

class StderrSink final : public LogSink {
 public:
  explicit StderrSink(LogLevel least) : least_(least) {}
  void Log(LogLevel level, std::string_view message) override {
    static constexpr const char* kNames[] = {"debug", "info", "warning", "error"};
    if (level < least_) return;
    std::fprintf(stderr, "grid %s: %.*s\n", kNames[static_cast<int>(level)],
                 static_cast<int>(message.size()), message.data());
  }

 private:
  const LogLevel least_;
};

class NullSink final : public LogSink {
 public:
  void Log(LogLevel, std::string_view) override {}
};

}  // namespace

std::shared_ptr<LogSink> StderrLog(LogLevel least) { return std::make_shared<StderrSink>(least); }
std::shared_ptr<LogSink> NullLog() { return std::make_shared<NullSink>(); }

}  // namespace grid
