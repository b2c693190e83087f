// Ring: a queue that keeps its memory: nothing is allocated once it has been as long as it gets.
//
// Not thread-safe. `T` is movable and has a default, which stands in the places that are free.
#ifndef GRID_GRID_BASE_RING_H_
#define GRID_GRID_BASE_RING_H_

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

namespace grid {

template <typename T>
class Ring {
 public:
  bool empty() const { return count_ == 0; }
  size_t size() const { return count_; }
  // How long it can get without an allocation.
  size_t places() const { return places_.size(); }

  // None of these on an empty one. References stay valid until the next PushBack.
  T& front() { return places_[head_]; }
  const T& front() const { return places_[head_]; }
  T& back() { return places_[Place(count_ - 1)]; }
  const T& back() const { return places_[Place(count_ - 1)]; }

  T& PushBack(T&& value) {
    if (count_ == places_.size()) Grow();
    ++count_;
    return back() = std::move(value);
  }
  T& PushBack(const T& value) { return PushBack(T(value)); }
  T PopFront() {
    T value = std::exchange(front(), T());
    head_ = Place(1);
    --count_;
    return value;
  }
  // The oldest first.
  template <typename Visit>
  void ForEach(Visit&& visit) const {
    for (size_t i = 0; i < count_; ++i) visit(places_[Place(i)]);
  }
  void Clear() {
    while (!empty()) PopFront();
  }

 private:
  size_t Place(size_t index) const { return (head_ + index) & (places_.size() - 1); }
  void Grow() {
    std::vector<T> larger(std::max<size_t>(4, places_.size() * 2));
    for (size_t i = 0; i < count_; ++i) larger[i] = std::move(places_[Place(i)]);
    places_ = std::move(larger);
    head_ = 0;
  }

  std::vector<T> places_;  // their number is a power of two
  size_t head_ = 0;
  size_t count_ = 0;
};

}  // namespace grid

#endif  // GRID_GRID_BASE_RING_H_
