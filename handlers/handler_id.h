// HandlerId: the number that names a handler on the wire.
#ifndef GRID_HANDLERS_HANDLER_ID_H_
#define GRID_HANDLERS_HANDLER_ID_H_

#include <compare>
#include <cstdint>

namespace grid {

// 1 to 255. Applications use 1 to kLastApplicationId; the rest is the library's own. Version 1
// peers written in Go know 1 to 79 only. 0 is never valid.
class HandlerId {
 public:
  static constexpr uint8_t kLastApplicationId = 223;

  // Values outside 1 to 255 make an id that is not valid(): registering or calling it fails with a
  // status.
  constexpr explicit HandlerId(int value) : value_(value > 0 && value <= 255 ? value : 0) {}

  constexpr bool valid() const { return value_ != 0; }
  constexpr uint8_t value() const { return static_cast<uint8_t>(value_); }

  friend constexpr auto operator<=>(HandlerId, HandlerId) = default;

 private:
  int value_;
};

}  // namespace grid

#endif  // GRID_HANDLERS_HANDLER_ID_H_
