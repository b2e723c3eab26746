@echo off
rem What may reach the file servers of Halden Instruments. Everything else is blocked.
set POLICY=Halden file servers
set COMPANY=10.20.0.0

netsh ipsec static add policy name="%POLICY%" description="What may reach the file servers"
netsh ipsec static add filteraction name=Allow action=permit
netsh ipsec static add filteraction name=Block action=block
netsh ipsec static add filteraction name=Protect action=negotiate qmpfs=yes qmsecmethods="ESP[3DES,SHA1]:100000k/3600s"

for %%p in (443 445) do netsh ipsec static add filter filterlist=services srcaddr=%COMPANY% srcmask=16 dstaddr=me protocol=tcp dstport=%%p
netsh ipsec static add filter filterlist=services srcaddr=me dstaddr=10.20.0.53 protocol=udp dstport=53
netsh ipsec static add filter filterlist=database srcaddr=10.30.0.0 srcmask=24 dstaddr=me protocol=tcp dstport=1433
netsh ipsec static add filter filterlist=everything srcaddr=any dstaddr=me

netsh ipsec static add rule name=Services policy="%POLICY%" filterlist=services filteraction=Allow
netsh ipsec static add rule name=Database policy="%POLICY%" filterlist=database filteraction=Protect kerberos=yes
netsh ipsec static add rule name="Everything else" policy="%POLICY%" filterlist=everything filteraction=Block
netsh ipsec static set policy name="%POLICY%" assign=yes
