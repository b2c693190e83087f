#include "tools/common/duration_option.h"

#include <CLI/CLI.hpp>

#include "tools/common/duration.h"

namespace grid::tools {

using std::chrono::milliseconds;

CLI::Option* AddDurationOption(CLI::App& command, const char* name, std::string* text,
                               const char* help) {
  return command.add_option(name, *text, help)->check([](const std::string& value) -> std::string {
    const auto duration = ParseDuration(value);
    if (!duration.ok()) return std::string(duration.status().message());
    return *duration < milliseconds(1) ? "must be at least 1ms" : "";
  });
}

milliseconds DurationOr(const std::string& text, milliseconds otherwise) {
  const auto duration = ParseDuration(text);
  return duration.ok() ? std::chrono::duration_cast<milliseconds>(*duration) : otherwise;
}

}  // namespace grid::tools
