// Recycled<T>: a T as default-constructed, whose memory comes from the values of this type that the
// thread has used before.
//
// Only types that can be emptied without giving their memory back are kept: those with a member
// Clear() (messages of Protocol Buffers) or clear() (the standard containers), which must leave the
// value as a new one. Every other T is simply made anew. Each thread keeps at most kMaxIdle values
// of a type. A Recycled may end on another thread than it began on.
#ifndef GRID_HANDLERS_RECYCLED_H_
#define GRID_HANDLERS_RECYCLED_H_

#include <concepts>
#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

namespace grid {

template <typename T>
inline constexpr bool kRecyclable = requires(T& value) {
  value.Clear();
}
|| requires(T& value) { value.clear(); };

template <std::default_initializable T>
class Recycled {
 public:
  Recycled() = default;
  Recycled(const Recycled&) = delete;
  Recycled& operator=(const Recycled&) = delete;

  T& operator*() { return value_; }
  // The value has carried `bytes` of payload. One that grew large is not kept, or the memory of the
  // largest payload ever would stay with the thread.
  void Saw(size_t /*bytes*/) {}

 private:
  T value_{};
};

template <std::default_initializable T>
requires kRecyclable<T>
class Recycled<T> {
 public:
  static constexpr size_t kMaxIdle = 16;
  static constexpr size_t kMaxBytes = size_t{64} << 10;

  Recycled() : value_(Take()) {}
  Recycled(const Recycled&) = delete;
  Recycled& operator=(const Recycled&) = delete;
  ~Recycled() {
    std::vector<std::unique_ptr<T>>& idle = Idle();
    if (!keep_ || idle.size() == kMaxIdle) return;
    if constexpr (requires(T & value) { value.Clear(); }) {
      value_->Clear();
    } else {
      value_->clear();
    }
    idle.push_back(std::move(value_));
  }

  T& operator*() { return *value_; }
  void Saw(size_t bytes) { keep_ = keep_ && bytes <= kMaxBytes; }

 private:
  static std::vector<std::unique_ptr<T>>& Idle() {
    static thread_local std::vector<std::unique_ptr<T>> idle;
    return idle;
  }
  static std::unique_ptr<T> Take() {
    std::vector<std::unique_ptr<T>>& idle = Idle();
    if (idle.empty()) return std::make_unique<T>();
    std::unique_ptr<T> value = std::move(idle.back());
    idle.pop_back();
    return value;
  }

  std::unique_ptr<T> value_;
  bool keep_ = true;
};

}  // namespace grid

#endif  // GRID_HANDLERS_RECYCLED_H_
