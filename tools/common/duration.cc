#include "tools/common/duration.h"

#include <cctype>
#include <cmath>
#include <cstdint>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace grid::tools {
namespace {

struct Unit {
  absl::string_view name;
  int64_t nanoseconds;
};
// Largest first, as FormatDuration wants them.
constexpr Unit kUnits[] = {{"h", 3'600'000'000'000}, {"m", 60'000'000'000}, {"s", 1'000'000'000},
                           {"ms", 1'000'000},        {"us", 1'000},         {"ns", 1}};
constexpr double kMaxNanoseconds = 1000.0 * 3600 * 1e9;

absl::Status Bad(absl::string_view text, absl::string_view why) {
  return absl::InvalidArgumentError(absl::StrCat("duration \"", text, "\": ", why));
}

}  // namespace

absl::StatusOr<std::chrono::nanoseconds> ParseDuration(std::string_view whole) {
  const absl::string_view text(whole.data(), whole.size());
  size_t digits = 0;
  while (digits < text.size() &&
         (std::isdigit(static_cast<unsigned char>(text[digits])) != 0 || text[digits] == '.')) {
    ++digits;
  }
  double number = 0;
  if (digits == 0 || !absl::SimpleAtod(text.substr(0, digits), &number)) {
    return Bad(text, "must begin with a number, as in 500ms, 2s or 1m");
  }
  const absl::string_view unit_name = text.substr(digits);
  for (const Unit& unit : kUnits) {
    if (unit.name != unit_name) continue;
    const double nanoseconds = number * static_cast<double>(unit.nanoseconds);
    if (nanoseconds > kMaxNanoseconds) return Bad(text, "is longer than 1000h");
    return std::chrono::nanoseconds(std::llround(nanoseconds));
  }
  return Bad(text, "the unit must be ns, us, ms, s, m or h");
}

std::string FormatDuration(std::chrono::nanoseconds duration) {
  if (duration.count() == 0) return "0s";
  for (const Unit& unit : kUnits) {
    if (duration.count() % unit.nanoseconds == 0) {
      return absl::StrCat(duration.count() / unit.nanoseconds, unit.name);
    }
  }
  return absl::StrCat(duration.count(), "ns");
}

}  // namespace grid::tools
