@echo off
rem As it was taken over. What is wrong with it is known, and in baseline.json until it is mended.
netsh ipsec static add policy name=Print
netsh ipsec static add filteraction name=Block action=block
netsh ipsec static add filter filterlist=spooler srcaddr=any dstaddr=me protocol=tcp dstport=445
netsh ipsec static add filter filterlist=office srcaddr=10.40.0.9 srcmask=255.255.255.0 dstaddr=me protocol=tcp dstport=9100
netsh ipsec static add rule name=Spooler policy=Print filterlist=spooler filteraction=Block
netsh ipsec static add rule name=Office policy=Print filterlist=ofice filteraction=Block
netsh ipsec static set policy name=Print assign=yes
