// Recycled<T>: a T as default-constructed, whose memory comes from the values of this type that the
// thread has used before.
//
// Only types that can be emptied without giving their memory back are kept: standard containers,
// and those with a member Clear() (messages of Protocol Buffers have one), which must leave the
// value as a new one. Every other T is simply made anew. Each thread keeps at most kMaxIdle values
// of a type. A Recycled may end on another thread than it began on.
#ifndef GRID_HANDLERS_RECYCLED_H_
#define GRID_HANDLERS_RECYCLED_H_

#include <concepts>
#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace grid {

namespace internal {

// What a thread keeps for itself. Null once the thread ends: objects that go after its own, those
// of static duration, do without.
template <typename T>
std::vector<T>* ThreadIdle() {
  static thread_local bool gone = false;  // outlives the list, which has a destructor
  struct List {
    std::vector<T> values;
    ~List() { gone = true; }
  };
  static thread_local List list;
  return gone ? nullptr : &list.values;
}

template <typename T>
inline constexpr bool kEmptiesItself = requires(T& value) {
  value.Clear();
};

template <typename T>
inline constexpr bool kIsContainer = false;
template <typename... Ts>
inline constexpr bool kIsContainer<std::basic_string<Ts...>> = true;
template <typename... Ts>
inline constexpr bool kIsContainer<std::vector<Ts...>> = true;
template <typename... Ts>
inline constexpr bool kIsContainer<std::map<Ts...>> = true;

}  // namespace internal

template <typename T>
inline constexpr bool kRecyclable = internal::kEmptiesItself<T> || internal::kIsContainer<T>;

template <std::default_initializable T>
class Recycled {
 public:
  Recycled() = default;
  Recycled(const Recycled&) = delete;
  Recycled& operator=(const Recycled&) = delete;

  T& operator*() { return value_; }
  // The value has carried `bytes` of payload, and may be kept if they are few: the memory of the
  // largest payload ever must not stay with the thread. Without this call it is not kept.
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
    std::vector<std::unique_ptr<T>>* idle = internal::ThreadIdle<std::unique_ptr<T>>();
    if (!keep_ || idle == nullptr || idle->size() == kMaxIdle) return;
    if constexpr (internal::kEmptiesItself<T>) {
      value_->Clear();
    } else {
      value_->clear();
    }
    idle->push_back(std::move(value_));
  }

  T& operator*() { return *value_; }
  void Saw(size_t bytes) { keep_ = bytes <= kMaxBytes; }

 private:
  static std::unique_ptr<T> Take() {
    std::vector<std::unique_ptr<T>>* idle = internal::ThreadIdle<std::unique_ptr<T>>();
    if (idle == nullptr || idle->empty()) return std::make_unique<T>();
    std::unique_ptr<T> value = std::move(idle->back());
    idle->pop_back();
    return value;
  }

  std::unique_ptr<T> value_;
  bool keep_ = false;
};

}  // namespace grid

#endif  // GRID_HANDLERS_RECYCLED_H_
