#ifndef CEpollShim_H
#define CEpollShim_H
#endif
