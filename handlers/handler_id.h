// HandlerId: the number that names a handler on the wire.
#ifndef GRID_HANDLERS_HANDLER_ID_H_
#define GRID_HANDLERS_HANDLER_ID_H_

#include <compare>
#include <cstdint>

namespace grid {

// 1 to 65535. Applications use all but kFirstOwn to kLastOwn, which are the library's. Those above
// 255 can be called where both ends offer the extension `handlers16` (grid/PROTOCOL.md); version 1
// peers written in Go know 1 to 79 only. 0 is never valid.
class HandlerId {
 public:
  static constexpr int kFirstOwn = 224;
  static constexpr int kLastOwn = 255;
  static constexpr int kMax = 65535;

  // Values outside 1 to kMax make an id that is not valid(): registering or calling it fails with a
  // status.
  constexpr explicit HandlerId(int value)
      : value_(static_cast<uint16_t>(value > 0 && value <= kMax ? value : 0)) {}

  constexpr bool valid() const { return value_ != 0; }
  constexpr uint16_t value() const { return value_; }

  friend constexpr auto operator<=>(HandlerId, HandlerId) = default;

 private:
  uint16_t value_;
};

}  // namespace grid

#endif  // GRID_HANDLERS_HANDLER_ID_H_
