// RecyclingNew<T>: a base that gives T the memory of RecyclingAllocator<T> by `new` and `delete`:
// for objects that a std::unique_ptr owns, also as one of another base of theirs.
//
//   class Attempt final : public OutcomeSink, public RecyclingNew<Attempt> { ... };
//   std::unique_ptr<OutcomeSink> sink = std::make_unique<Attempt>(...);
//
// Any thread, as RecyclingAllocator.
#ifndef GRID_HANDLERS_RECYCLING_NEW_H_
#define GRID_HANDLERS_RECYCLING_NEW_H_

#include <cstddef>
#include <type_traits>

#include "handlers/recycling_allocator.h"

namespace grid {

template <typename T>
class RecyclingNew {
 public:
  static void* operator new(size_t) {
    static_assert(std::is_final_v<T>, "an object of a class derived from T may be larger");
    return RecyclingAllocator<T>().allocate(1);
  }
  static void operator delete(void* memory) {
    RecyclingAllocator<T>().deallocate(static_cast<T*>(memory), 1);
  }

 protected:
  ~RecyclingNew() = default;
};

}  // namespace grid

#endif  // GRID_HANDLERS_RECYCLING_NEW_H_
