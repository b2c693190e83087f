#include "bench/common/flags.h"

#include <CLI/CLI.hpp>
#include <string>

#include "tools/common/duration.h"

namespace grid::bench {

void AddDurationFlag(CLI::App& command, const char* name, std::chrono::nanoseconds* value,
                     const char* help) {
  command.add_option_function<std::string>(
      name,
      [name, value](const std::string& text) {
        const auto duration = tools::ParseDuration(text);
        if (!duration.ok()) {
          throw CLI::ValidationError(name, std::string(duration.status().message()));
        }
        *value = *duration;
      },
      help);
}

}  // namespace grid::bench
