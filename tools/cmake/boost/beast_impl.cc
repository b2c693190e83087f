// The bodies of Beast and Boost.URL, as asio_impl.cc holds those of Asio.

#include <boost/beast/src.hpp>
#include <boost/url/src.hpp>
