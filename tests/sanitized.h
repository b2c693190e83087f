// Whether this is a build with a sanitizer: those are slow, and keep memory of their own.
#ifndef GRID_TESTS_SANITIZED_H_
#define GRID_TESTS_SANITIZED_H_

namespace grid {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool kSanitized = true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = false;
#endif
#else
inline constexpr bool kSanitized = false;
#endif

}  // namespace grid

#endif  // GRID_TESTS_SANITIZED_H_
