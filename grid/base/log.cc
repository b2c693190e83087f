#include "grid/base/log.h"

#include <spdlog/logger.h>
#include <spdlog/sinks/stdout_sinks.h>

namespace grid {
namespace {

spdlog::level::level_enum LevelOf(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarning:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
  }
  return spdlog::level::err;
}

class SpdlogSink final : public LogSink {
 public:
  SpdlogSink(const std::string& name, LogLevel least)
      : logger_(name, std::make_shared<spdlog::sinks::stderr_sink_mt>()) {
    logger_.set_level(LevelOf(least));
    logger_.set_pattern("%Y-%m-%d %H:%M:%S.%e %n %l: %v");
    logger_.flush_on(spdlog::level::trace);
  }

  void Log(LogLevel level, std::string_view message) override {
    logger_.log(LevelOf(level), spdlog::string_view_t(message.data(), message.size()));
  }

 private:
  spdlog::logger logger_;
};

class NullSink final : public LogSink {
 public:
  void Log(LogLevel, std::string_view) override {}
};

}  // namespace

std::shared_ptr<LogSink> SpdlogLog(const std::string& name, LogLevel least) {
  return std::make_shared<SpdlogSink>(name, least);
}
std::shared_ptr<LogSink> DefaultLog() { return SpdlogLog("grid", LogLevel::kWarning); }
std::shared_ptr<LogSink> NullLog() { return std::make_shared<NullSink>(); }

}  // namespace grid
