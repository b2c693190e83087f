// HandlerMemory: room for one completion handler, so that an operation started over and over
// allocates nothing.
//
// Belongs to the one operation at a time that uses it; not thread-safe. What does not fit, or comes
// while the room is taken, comes from the heap.
//
//   struct Done {
//     using allocator_type = HandlerAllocator<void>;
//     allocator_type get_allocator() const { return allocator_type(memory); }
//     HandlerMemory* memory;
//     void operator()(absl::StatusOr<Buffer> reply);
//   };
#ifndef GRID_TOOLS_COMMON_HANDLER_MEMORY_H_
#define GRID_TOOLS_COMMON_HANDLER_MEMORY_H_

#include <cstddef>
#include <new>

namespace grid::tools {

class HandlerMemory {
 public:
  HandlerMemory() = default;
  HandlerMemory(const HandlerMemory&) = delete;
  HandlerMemory& operator=(const HandlerMemory&) = delete;

  void* Allocate(size_t size) {
    if (taken_ || size > sizeof(room_)) return ::operator new(size);
    taken_ = true;
    return room_;
  }
  void Deallocate(void* p) {
    if (p == room_) {
      taken_ = false;
    } else {
      ::operator delete(p);
    }
  }

 private:
  alignas(std::max_align_t) std::byte room_[256];
  bool taken_ = false;
};

// The allocator that hands it out. `memory` must outlive every copy.
template <typename T>
class HandlerAllocator {
 public:
  using value_type = T;

  explicit HandlerAllocator(HandlerMemory* memory) : memory_(memory) {}
  template <typename U>
  HandlerAllocator(const HandlerAllocator<U>& other)  // NOLINT(google-explicit-constructor)
      : memory_(other.memory_) {}

  T* allocate(size_t n) { return static_cast<T*>(memory_->Allocate(n * sizeof(T))); }
  void deallocate(T* p, size_t) { memory_->Deallocate(p); }

  friend bool operator==(const HandlerAllocator& a, const HandlerAllocator& b) {
    return a.memory_ == b.memory_;
  }

 private:
  template <typename U>
  friend class HandlerAllocator;
  HandlerMemory* memory_;
};

}  // namespace grid::tools

#endif  // GRID_TOOLS_COMMON_HANDLER_MEMORY_H_
