// RecyclingAllocator<T>: for objects that come and go one by one, and often: the memory of those
// that a thread has freed is what it allocates next.
//
//   auto call = std::allocate_shared<Call>(RecyclingAllocator<Call>(), ...);
//
// A thread keeps at most kMaxIdleBytes of each size, in steps of 64 bytes, and gives them back when
// it ends. Larger objects than kMaxBytes, and arrays, are the system's. Stateless; any thread, and
// an object may end on another thread than it began on. Under the address sanitizer nothing is
// kept, so that it sees the use of what is gone.
#ifndef GRID_HANDLERS_RECYCLING_ALLOCATOR_H_
#define GRID_HANDLERS_RECYCLING_ALLOCATOR_H_

#include <cstddef>
#include <new>

namespace grid {

namespace internal {

inline constexpr size_t kRecycledStep = 64;

#if defined(__SANITIZE_ADDRESS__)
inline constexpr bool kRecycles = false;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
inline constexpr bool kRecycles = false;
#else
inline constexpr bool kRecycles = true;
#endif
#else
inline constexpr bool kRecycles = true;
#endif

// The blocks of one size that this thread keeps.
template <size_t kBytes, size_t kMost>
class IdleBlocks {
 public:
  static void* Take() {
    if (first_ == nullptr) return ::operator new(kBytes);
    Block* const block = first_;
    first_ = block->next;
    --count_;
    return block;
  }

  static void Give(void* memory) {
    if (count_ == most_ && !Open()) return ::operator delete(memory);
    first_ = new (memory) Block{first_};
    ++count_;
  }

 private:
  struct Block {
    Block* next;
  };
  struct Closer {
    // Objects that go even later are freed at once.
    ~Closer() {
      most_ = count_ = 0;
      closed_ = true;
      while (first_ != nullptr) {
        Block* const block = first_;
        first_ = block->next;
        ::operator delete(block);
      }
    }
  };

  // Whether there is room after all: before its first block a thread has none, so that it is asked
  // for no more than these words.
  static bool Open() {
    if (most_ != 0 || closed_) return false;
    static thread_local Closer closer;
    static_cast<void>(&closer);
    most_ = kMost;
    return true;
  }

  static inline constinit thread_local Block* first_ = nullptr;
  static inline constinit thread_local size_t count_ = 0;
  static inline constinit thread_local size_t most_ = 0;
  static inline constinit thread_local bool closed_ = false;
};

}  // namespace internal

template <typename T>
class RecyclingAllocator {
 public:
  static constexpr size_t kMaxBytes = 1024;
  static constexpr size_t kMaxIdleBytes = size_t{256} << 10;

  using value_type = T;

  RecyclingAllocator() = default;
  template <typename U>
  RecyclingAllocator(const RecyclingAllocator<U>&) {}  // NOLINT(google-explicit-constructor)

  T* allocate(size_t count) {
    if constexpr (Recycles()) {
      if (count == 1) return static_cast<T*>(Idle<Bytes()>::Take());
    }
    return static_cast<T*>(::operator new(count * sizeof(T)));
  }
  void deallocate(T* memory, size_t count) {
    if constexpr (Recycles()) {
      if (count == 1) return Idle<Bytes()>::Give(memory);
    }
    ::operator delete(memory);
  }

  friend bool operator==(RecyclingAllocator, RecyclingAllocator) { return true; }

 private:
  template <size_t kBytes>
  using Idle = internal::IdleBlocks<kBytes, kMaxIdleBytes / kBytes>;

  // Functions, as T need not be complete before it is allocated.
  static constexpr size_t Bytes() {
    return (sizeof(T) + internal::kRecycledStep - 1) / internal::kRecycledStep *
           internal::kRecycledStep;
  }
  static constexpr bool Recycles() {
    return internal::kRecycles && Bytes() <= kMaxBytes &&
           alignof(T) <= __STDCPP_DEFAULT_NEW_ALIGNMENT__;
  }
};

// Until it is rebound to a type.
template <>
class RecyclingAllocator<void> {
 public:
  using value_type = void;
  RecyclingAllocator() = default;
  template <typename U>
  RecyclingAllocator(const RecyclingAllocator<U>&) {}  // NOLINT(google-explicit-constructor)
  friend bool operator==(RecyclingAllocator, RecyclingAllocator) { return true; }
};

}  // namespace grid

#endif  // GRID_HANDLERS_RECYCLING_ALLOCATOR_H_
